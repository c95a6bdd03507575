"""moto's server with what ParallelCluster needs of EC2 and EFS added.

usage: moto_server.py [--cloudformation] -H 127.0.0.1 -p PORT

With --cloudformation moto's CloudFormation is completed, too (moto_cloudformation.py).
"""

import json
import sys

from moto.ec2.responses import instances
from moto.efs import models as efs
from moto.efs.exceptions import EFSError
from moto.moto_api._internal import mock_random
from moto.server import main


def validate_block_device_mapping(mapping: dict) -> None:
    """Accepts what EC2 accepts: an instance-store volume, and an Ebs without a size (its snapshot has one).

    moto insists on Ebs with VolumeSize or SnapshotId, which fails every dry run of a ParallelCluster launch
    template.
    """
    if not mapping.get("VirtualName") and "Ebs" not in mapping and mapping.get("NoDevice") is None:
        raise instances.MissingParameterError("ebs")


# A moto release that renames this would otherwise be patched in vain, and fail much later.
if not hasattr(instances.InstanceResponse, "_validate_block_device_mapping"):
    sys.exit("this version of moto is not the one that this launcher was written for")
instances.InstanceResponse._validate_block_device_mapping = staticmethod(validate_block_device_mapping)


class AwsIds:
    """Ids of AWS's length: 17 digits, which ParallelCluster's schema insists on for access points; moto's have 8."""

    @staticmethod
    def get_random_hex(length: int = 8) -> str:
        return mock_random.get_random_hex(17 if length == 8 else length)


if not hasattr(efs, "mock_random"):
    sys.exit("this version of moto is not the one that this launcher was written for")
efs.mock_random = AwsIds

class AccessPointAlreadyExists(EFSError):
    """What EFS answers to a repeated token, with the id of what the token made (API reference, CreateAccessPoint)."""

    code = 409

    def __init__(self, access_point_id: str) -> None:
        message = f"Access point {access_point_id} exists."
        super().__init__("AccessPointAlreadyExists", message)
        self.description = json.dumps(
            {
                "__type": "AccessPointAlreadyExists",
                "ErrorCode": "AccessPointAlreadyExists",
                "Message": message,
                "AccessPointId": access_point_id,
            }
        )


make_access_point = efs.EFSBackend.create_access_point


def create_access_point(
    self: efs.EFSBackend, client_token: str, *arguments: object, **named: object
) -> efs.AccessPoint:
    """moto itself makes another access point whenever a token is repeated."""
    for access_point in self.access_points.values():
        if access_point.client_token == client_token:
            raise AccessPointAlreadyExists(access_point.access_point_id)
    return make_access_point(self, client_token, *arguments, **named)


efs.EFSBackend.create_access_point = create_access_point

import moto_quotas  # noqa: F401,E402  patches moto

if "--cloudformation" in sys.argv:
    sys.argv.remove("--cloudformation")
    import moto_cloudformation  # noqa: F401  patches moto

main(sys.argv[1:])
