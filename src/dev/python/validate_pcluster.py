"""The judgement of the real aws-parallelcluster on cluster configurations, without AWS.

usage: validate_pcluster.py [--schema-only] [--cluster-name NAME] [FILE]

Reads YAML documents, separated by lines of `---` (JSON will do: it is YAML), from FILE or standard input. Prints a
JSON list with one report for each document:

    {"valid": false, "findings": [{"level": "ERROR", "type": "EfaValidator", "message": "…"}], "validators": ["…"]}

`findings` are in the words of `pcluster create-cluster`; `validators` names the classes of validators that looked
at the document. By default these are all that run before a cluster is created, against an AWS that holds every id
which the document names. --schema-only stops after the schema and asks nobody.

Exit status: 0 all are valid, 1 some are not, 2 no judgement was possible.
"""

import argparse
import contextlib
import functools
import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from typing import Any

import yaml

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)  # pcluster and botocore log to standard error what is in the findings anyway

# Before boto3 is imported: no profile, credential or endpoint of the caller may lead to a real account.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none", AWS_EC2_METADATA_DISABLED="true")
os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull)

import botocore.session  # noqa: E402
from marshmallow import ValidationError  # noqa: E402
from pcluster.aws.aws_api import AWSApi  # noqa: E402
from pcluster.aws.common import Cache  # noqa: E402
from pcluster.models.cluster import Cluster, ClusterActionError, ConfigValidationError  # noqa: E402
from pcluster.schemas.cluster_schema import ClusterSchema  # noqa: E402
from pcluster.validators.common import AsyncValidator, FailureLevel, Validator  # noqa: E402

Finding = dict[str, str]

# Every session of boto3 would read the descriptions of the services anew, half of the time of a judgement.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

#: Port 9 answers nobody: a look-up that no emulator intercepts ends here and not in an account.
NOWHERE = "http://127.0.0.1:9"


def error(kind: str, message: str) -> Finding:
    return {"level": "ERROR", "type": kind, "message": message}


def schema_findings(document: dict[str, Any], cluster_name: str) -> list[Finding]:
    try:
        ClusterSchema(cluster_name=cluster_name).load(document)
    except ValidationError as problem:
        # Cluster._load_config of aws-parallelcluster 3.16.1 words it like this.
        messages = problem.messages
        text = str(sorted(messages.items()) if isinstance(messages, dict) else problem)
        return [error("ConfigSchemaValidator", text)]
    except Exception as problem:  # the schema's own faults, e.g. "pop from empty list" for an empty list of queues
        return [error(type(problem).__name__, str(problem))]
    return []


def all_findings(document: dict[str, Any], cluster_name: str, region: str) -> list[Finding]:
    from seeded_aws import replaced, seeded_aws  # a second of imports that --schema-only need not wait for

    with seeded_aws(document, region) as aws:
        cluster = Cluster(cluster_name, yaml.safe_dump(replaced(document, aws.ids)))
        try:
            results = cluster.validate_create_request(set(), FailureLevel.ERROR)
        except ConfigValidationError as problem:
            results = problem.validation_failures or []
            if not results:
                return [error("ConfigValidationError", str(problem))]
        except ClusterActionError as problem:
            return [error(type(problem).__name__, str(problem))]
        return [
            {"level": r.level.name, "type": r.validator_type, "message": in_own_words(str(r.message), aws.ids)}
            for r in results
        ]


def in_own_words(message: str, ids: dict[str, str]) -> str:
    for own, foreign in ids.items():
        message = message.replace(foreign, own)
    return message


@contextlib.contextmanager
def recorded_validators() -> Iterator[set[str]]:
    """The names of the validator classes that run in this context."""
    seen: set[str] = set()
    execute, execute_async = Validator.execute, AsyncValidator.execute_async

    def note(validator: Validator) -> None:
        seen.add(validator.type.removeprefix("AsyncTimed"))

    def noted(self: Validator, *args: Any, **kwargs: Any) -> Any:
        note(self)
        return execute(self, *args, **kwargs)

    async def noted_async(self: AsyncValidator, *args: Any, **kwargs: Any) -> Any:
        note(self)
        return await execute_async(self, *args, **kwargs)

    Validator.execute, AsyncValidator.execute_async = noted, noted_async
    try:
        yield seen
    finally:
        Validator.execute, AsyncValidator.execute_async = execute, execute_async


def report(document: Any, cluster_name: str, schema_only: bool) -> dict[str, Any]:
    if not isinstance(document, dict):
        return {"valid": False, "findings": [error("Yaml", "a configuration is a mapping")], "validators": []}
    region = document.get("Region", "us-east-1")
    os.environ["AWS_DEFAULT_REGION"] = region
    AWSApi.reset()
    Cache.clear_all()
    with recorded_validators() as validators:
        if schema_only:
            os.environ["AWS_ENDPOINT_URL"] = NOWHERE
            findings = schema_findings(document, cluster_name)
        else:
            findings = all_findings(document, cluster_name, region)
    return {
        "valid": all(finding["level"] != "ERROR" for finding in findings),
        "findings": findings,
        "validators": sorted(validators),
    }


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--schema-only", action="store_true")
    arguments.add_argument("--cluster-name", default="cluster")
    arguments.add_argument("file", nargs="?", type=argparse.FileType(encoding="utf-8"), default=sys.stdin)
    options = arguments.parse_args()
    try:
        documents = list(yaml.safe_load_all(options.file))
    except yaml.YAMLError as problem:
        print(f"not YAML: {problem}", file=sys.stderr)
        return 2
    try:
        reports = [report(document, options.cluster_name, options.schema_only) for document in documents]
    except Exception:  # Python's own exit status for it would be 1, which says that a document is not valid
        traceback.print_exc()
        return 2
    json.dump(reports, sys.stdout)
    return 0 if all(each["valid"] for each in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
