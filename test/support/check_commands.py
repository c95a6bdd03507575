"""Judges commands of the AWS CLI by AWS's own models of its services, as botocore carries them.

Reads a JSON list of lines of shell from standard input and prints a JSON object: the commands that were found, and the
problems, e.g. `aws logs get-log-events …: --log-stream-name is missing`. Names of services, operations, options and
members, values of enumerations and patterns, and JMESPath are judged; what a variable of the shell stands for is not.
"""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from typing import Any

import botocore.session
import jmespath
from botocore import xform_name
from botocore.model import ListShape, OperationModel, Shape, StructureShape

# Options of the AWS CLI itself.
GLOBAL = {"query", "output", "region", "max-items", "no-paginate"}
# High-level commands, which no model describes.
S3 = {"ls": {"recursive"}, "cp": {"recursive"}, "sync": set()}
SERVICES = {"s3api": "s3"}
# Where the AWS CLI calls a member otherwise, because of its own options.
RENAMED = {"notification-endpoint": "endpoint"}

session = botocore.session.get_session()


def commands(line: str) -> Iterator[list[str]]:
    for start in re.finditer(r"(?<![\w./`-])aws (?=[a-z])", line):
        command: list[str] = []
        for word in words_of(re.sub(r"\$\([^()]*\)", "$x", line[start.start() :])):
            if set(word) <= set("();|&") or word.startswith((">", "<(")):
                break
            command.append(word)
        yield command


def words_of(text: str) -> Iterator[str]:
    words = shlex.shlex(text, posix=True, punctuation_chars="();|&")
    words.whitespace_split = True
    words.commenters = "#"
    try:
        yield from words
    except ValueError as error:
        yield f"({error})"


def options(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Each option with its values."""
    name, values = "", list[str]()
    for word in [*words, "--"]:
        if not word.startswith("--"):
            values.append(word)
            continue
        if name or values:
            yield name, values
        name, values = word[2:], []


def problems(command: list[str]) -> Iterator[str]:
    _, service, *rest = command
    if service == "s3":
        action, *words = rest
        given = {word[2:] for word in words if word.startswith("--")}
        if action not in S3 or given - S3[action]:
            yield f"{action} {given} is unknown"
        return
    service = SERVICES.get(service, service)
    if service not in session.get_available_services():
        yield f"there is no service {service}"
        return
    model = session.get_service_model(service)
    if rest[0] == "wait":
        waiters = session.get_component("data_loader").load_service_model(service, "waiters-2")["waiters"]
        if rest[1] not in {xform_name(name, "-") for name in waiters}:
            yield f"there is nothing to wait for by the name {rest[1]}"
        return
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if rest[0] not in operations:
        yield f"there is no operation {rest[0]}"
        return
    yield from option_problems(model.operation_model(operations[rest[0]]), rest[1:])


def option_problems(operation: OperationModel, words: list[str]) -> Iterator[str]:
    shape = operation.input_shape
    members: dict[str, Shape] = dict(shape.members) if shape else {}
    names = {xform_name(name, "-"): name for name in members}
    given = set()
    for option, values in options(words):
        if option == "query":
            jmespath.compile(values[0])
        if option in GLOBAL:
            continue
        option = RENAMED.get(option, option)
        positive = option.removeprefix("no-")
        name = names.get(option) or names.get(positive)
        if name is None:
            yield f"there is no option --{option}" if option else f"{values} belongs to no option"
            continue
        given.add(name)
        if members[name].type_name == "boolean":
            if values:
                yield f"--{option} takes no value"
        elif not values:
            yield f"--{option} lacks a value"
        for value in values:
            yield from (f"--{option} {each}" for each in value_problems(value, members[name]))
    for name in shape.required_members if shape else []:
        if name not in given:
            yield f"--{xform_name(name, '-')} is missing"


def value_problems(value: str, shape: Shape) -> Iterator[str]:
    if "$" in value or "<" in value:
        return
    if isinstance(shape, ListShape):
        yield from value_problems(value, shape.member)
    elif isinstance(shape, StructureShape):
        # The shorthand Name=a,Values=b,c.
        for key in re.findall(r"(?:^|,)(\w+)=", value):
            if key not in shape.members:
                yield f"{value}: there is no member {key}"
    elif shape.type_name == "string":
        pattern = shape.metadata.get("pattern")
        if pattern and "\\p{" not in pattern and not re.fullmatch(pattern, value):
            yield f"{value} does not match {pattern}"
        if shape.metadata.get("enum") and value not in shape.metadata["enum"]:
            yield f"{value} is none of {shape.metadata['enum']}"


def judge(command: list[str]) -> list[str]:
    try:
        return list(problems(command))
    except jmespath.exceptions.ParseError as error:
        return [f"--query is no JMESPath: {error}"]


found = [command for line in json.load(sys.stdin) for command in commands(line)]
judged: dict[str, Any] = {
    "commands": [" ".join(command) for command in found],
    "problems": [f"{' '.join(command)}: {problem}" for command in found for problem in judge(command)],
}
print(json.dumps(judged))
