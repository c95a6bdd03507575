"""Capacity reservations as EC2 and Resource Groups describe them: moto 5.2 has none.

Each has the instance type of the first compute resource that names it, and room for all nodes that do.
"""

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any
from unittest import mock

from pcluster.aws.aws_resources import CapacityReservationInfo
from pcluster.aws.ec2 import Ec2Client
from pcluster.aws.resource_groups import ResourceGroupsClient


def _targets(document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Compute resources that use reserved capacity, and how they name it."""
    for queue in document.get("Scheduling", {}).get("SlurmQueues", []):
        for resource in queue.get("ComputeResources", []):
            if target := resource.get("CapacityReservationTarget"):
                yield resource, target


def _described(id_: str, resource: dict[str, Any], document: dict[str, Any], zone: str) -> dict[str, Any]:
    is_red_hat = document["Image"]["Os"].startswith("rhel")
    return {
        "CapacityReservationId": id_,
        "InstanceType": resource["InstanceType"],
        "InstancePlatform": "Red Hat Enterprise Linux" if is_red_hat else "Linux/UNIX",
        "AvailabilityZone": zone,
        "Tenancy": "default",
        "TotalInstanceCount": 0,
        "State": "active",
        "InstanceMatchCriteria": "targeted",
        "Tags": [],
    }


@contextlib.contextmanager
def seeded_capacity(document: dict[str, Any], zone: str) -> Iterator[None]:
    """The reservations and groups that the configuration names, for as long as the context lasts."""
    reservations: dict[str, dict[str, Any]] = {}
    groups: dict[str, dict[str, str]] = {}  # ARN to instance type to reservation
    for resource, target in _targets(document):
        id_ = target.get("CapacityReservationId")
        if id_ is None:
            members = groups.setdefault(target["CapacityReservationResourceGroupArn"], {})
            id_ = members.setdefault(resource["InstanceType"], f"cr-{uuid.uuid4().hex[:17]}")
        reservation = reservations.setdefault(id_, _described(id_, resource, document, zone))
        reservation["TotalInstanceCount"] += int(resource["MaxCount"])

    def describe(_self: Ec2Client, ids: list[str]) -> list[CapacityReservationInfo]:
        return [CapacityReservationInfo(reservations[id_]) for id_ in ids]

    def configuration(_self: ResourceGroupsClient, group: str) -> dict[str, Any]:
        pool = [{"Type": "AWS::EC2::CapacityReservationPool"}] if group in groups else []
        return {"GroupConfiguration": {"Configuration": pool}}

    def members(_self: ResourceGroupsClient, group: str) -> list[str]:
        return list(groups[group].values())

    with (
        mock.patch.object(Ec2Client, "describe_capacity_reservations", describe),
        mock.patch.object(ResourceGroupsClient, "get_group_configuration", configuration),
        mock.patch.object(ResourceGroupsClient, "get_capacity_reservation_ids_from_group_resources", members),
    ):
        yield
