"""The judgement of the real aws-parallelcluster on changes of a cluster whose nodes may run.

Reads a JSON list of pairs [configuration before, configuration after] from standard input. Prints a JSON list with one
report for each pair:

    {"allowed": false, "changes": [{"parameter": "Scheduling.SlurmQueues[q].…", "requestedValue": …, "currentValue": …,
     "check": "ACTION NEEDED", "reason": "…", "updatePolicy": "COMPUTE_FLEET_STOP"}]}

An empty list of changes means that ParallelCluster sees no difference. Nobody is asked: the judgement is of the two
configurations alone (`ConfigPatch`, as `pcluster update-cluster` uses it).
"""

import json
import logging
import os
import sys
import warnings
from typing import Any

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ.update(AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")

from pcluster.config.config_patch import ConfigPatch  # noqa: E402


class RunningCluster:
    """What the policies ask of a cluster: this one has nodes that run, and no login nodes."""

    name = "cluster"
    stack_name = "cluster"

    def has_running_capacity(self) -> bool:
        return True

    def has_running_login_nodes(self) -> bool:
        return False


def report(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    allowed, (header, *rows) = ConfigPatch(RunningCluster(), before, after).check()
    changes = [dict(zip(header, row, strict=True)) for row in rows]
    return {
        "allowed": allowed,
        "changes": [
            {
                "parameter": ConfigPatch.build_config_param_path(change["param_path"], change["parameter"]),
                "currentValue": change["old value"],
                "requestedValue": change["new value"],
                "check": change["check"],
                "reason": change["reason"],
                "updatePolicy": change["update_policy"],
            }
            for change in changes
        ],
    }


def main() -> None:
    json.dump([report(before, after) for before, after in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
