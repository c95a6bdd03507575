"""Compares requests and answers with AWS's own model of a service, as botocore carries it.

usage: check_shapes.py SERVICE < exchanges

Reads a JSON list of `{"operation": "…", "input": {…}, "output": {…}}` from standard input and prints a JSON list of
problems, e.g. `CreateFileSystem output.FileSystem.Lifecycle: "MADE" is none of […]`. Unknown members are problems,
too: no client would read them.
"""

import json
import re
import sys
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "timestamp": (int, float),
    "float": (int, float),
    "double": (int, float),
}


def problems(value: Any, shape: Shape, path: str) -> list[str]:
    if isinstance(shape, StructureShape):
        return structure_problems(value, shape, path)
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            return [f"{path}: is no list"]
        return [each for index, item in enumerate(value) for each in problems(item, shape.member, f"{path}[{index}]")]
    if isinstance(shape, MapShape):
        return [] if isinstance(value, dict) else [f"{path}: is no map"]
    kinds = KINDS.get(shape.type_name, (object,))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        return [f"{path}: {value!r} is no {shape.type_name}"]
    if isinstance(value, str):
        enum = shape.metadata.get("enum")
        if enum and value not in enum:
            return [f"{path}: {value!r} is none of {enum}"]
        pattern = shape.metadata.get("pattern")
        # Python does not know Unicode properties, which some of AWS's patterns use.
        if pattern and "\\p{" not in pattern and not re.search(pattern, value):
            return [f"{path}: {value!r} does not match {pattern}"]
    return limit_problems(value, shape, path)


def structure_problems(value: Any, shape: StructureShape, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: is no structure"]
    found = [f"{path}.{name}: is missing" for name in shape.required_members if name not in value]
    for name, inner in value.items():
        member = shape.members.get(name)
        if member is None:
            found.append(f"{path}.{name}: {shape.name} has no such member")
        else:
            found.extend(problems(inner, member, f"{path}.{name}"))
    return found


def limit_problems(value: Any, shape: Shape, path: str) -> list[str]:
    size = len(value) if isinstance(value, str) else value
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and size < low) or (high is not None and size > high):
        return [f"{path}: {value!r} is not within {low}..{high}"]
    return []


def main() -> None:
    session = botocore.session.Session()
    model = session.get_service_model(sys.argv[1])
    found: list[str] = []
    for exchange in json.load(sys.stdin):
        operation = model.operation_model(exchange["operation"])
        for part, shape in (("input", operation.input_shape), ("output", operation.output_shape)):
            found.extend(f"{operation.name} {each}" for each in problems(exchange[part], shape, part))
    json.dump(sorted(set(found)), sys.stdout)


main()
