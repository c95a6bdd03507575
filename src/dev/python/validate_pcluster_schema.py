"""ParallelCluster's own schema, applied to one cluster configuration.

usage: validate_pcluster_schema.py CLUSTER_NAME < configuration.json > findings.json

Prints a JSON list of {"level", "type", "message"} in the words that `pcluster create-cluster` uses, empty when
the configuration is valid. No AWS call is made.
"""

import json
import sys
import warnings

warnings.simplefilter("ignore")

from marshmallow import ValidationError  # noqa: E402
from pcluster.schemas.cluster_schema import ClusterSchema  # noqa: E402


def finding(kind: str, message: str) -> dict:
    return {"level": "ERROR", "type": kind, "message": message}


def main() -> None:
    try:
        ClusterSchema(cluster_name=sys.argv[1]).load(json.load(sys.stdin))
        findings = []
    except ValidationError as error:
        # Cluster._load_config of aws-parallelcluster 3.16.1 words it like this.
        messages = error.messages
        text = str(sorted(messages.items()) if isinstance(messages, dict) else error)
        findings = [finding("ConfigSchemaValidator", text)]
    except Exception as error:  # the schema's own faults, e.g. "pop from empty list" for a queue list that is empty
        findings = [finding(type(error).__name__, str(error))]
    json.dump(findings, sys.stdout)


if __name__ == "__main__":
    main()
