"""An AWS account inside this process that holds whatever one cluster configuration names.

ParallelCluster's validators ask AWS about every subnet, key pair, bucket and file system. moto answers them here
without a network; ids that moto insists on choosing by itself are put in the place of those of the configuration.
"""

import contextlib
import functools
import itertools
import json
import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

# Read when moto is imported: without it moto loads hundreds of images, none of them ParallelCluster's.
os.environ["MOTO_AMIS_PATH"] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "no_images.json")

import boto3  # noqa: E402
import moto  # noqa: E402
from moto.ec2.models import amis  # noqa: E402
from moto.ec2.models.instance_types import INSTANCE_TYPES  # noqa: E402
from moto.ec2.responses import instances  # noqa: E402
from moto.core import DEFAULT_ACCOUNT_ID  # noqa: E402
from moto.fsx.models import FileSystem, fsx_backends  # noqa: E402
from moto.fsx.responses import FSxResponse  # noqa: E402
from pcluster.aws.ec2 import Ec2Client  # noqa: E402
from pcluster.constants import OS_TO_IMAGE_NAME_PART_MAP, PRIVATE_OSES  # noqa: E402
from pcluster.utils import get_installed_version  # noqa: E402
from seeded_capacity import seeded_capacity  # noqa: E402

#: HPC7a is offered in no other zone of us-east-2, eu-west-1 and eu-north-1.
ZONE = "b"

VERSION = get_installed_version()

Path = tuple[str, ...]


def walk(node: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every string of a document with the keys that lead to it."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from walk(value, (*path, str(key)))
    elif isinstance(node, list):
        for value in node:
            yield from walk(value, path)
    elif isinstance(node, str):
        yield path, node


def replaced(node: Any, ids: dict[str, str]) -> Any:
    """The document with every string that is a key of `ids` exchanged for its value."""
    if isinstance(node, dict):
        return {key: replaced(value, ids) for key, value in node.items()}
    if isinstance(node, list):
        return [replaced(value, ids) for value in node]
    return ids.get(node, node) if isinstance(node, str) else node


class SeededAws:
    """One empty private VPC, and in it what a configuration names."""

    def __init__(self, region: str) -> None:
        self.region = region
        #: Id in the configuration to id in moto.
        self.ids: dict[str, str] = {}
        self._subnets = 0
        self._client = functools.cache(functools.partial(boto3.client, region_name=region))
        ec2 = self._client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
            ec2.modify_vpc_attribute(VpcId=self.vpc, **{attribute: {"Value": True}})

    def add_what_is_named_in(self, document: Any) -> None:
        makers: dict[str, Callable[[], str]] = {
            "SubnetId": self._subnet,
            "SubnetIds": self._subnet,
            "SecurityGroups": self._security_group,
            "AdditionalSecurityGroups": self._security_group,
            "CustomAmi": self._custom_image,
            "FileSystemId": self._efs,
            "PasswordSecretArn": self._secret,
            "PermissionsBoundary": self._policy,
            "Policy": self._policy,
        }
        for path, value in walk(document):
            key = path[-1] if path else ""
            if path[-2:] == ("FsxLustreSettings", "FileSystemId") and value not in self.ids:
                self.ids[value] = self._lustre()
            elif key == "VolumeId" and value not in VOLUMES:
                self._volume(value, path[-2])
            elif key in makers and value not in self.ids:
                self.ids[value] = makers[key]()
            elif key == "KeyName":
                self._key_pair(value)
            elif key == "BucketName":
                self._bucket(value)
            elif value.startswith("s3://"):
                self._object(*value.removeprefix("s3://").partition("/")[::2])

    def _subnet(self) -> str:
        self._subnets += 1
        subnet = self._client("ec2").create_subnet(
            VpcId=self.vpc,
            CidrBlock=f"10.0.{self._subnets * 8}.0/21",
            AvailabilityZone=self.region + ZONE,
        )
        return subnet["Subnet"]["SubnetId"]

    def _security_group(self) -> str:
        ec2 = self._client("ec2")
        group = ec2.create_security_group(GroupName=str(uuid.uuid4()), Description="-", VpcId=self.vpc)["GroupId"]
        inside = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[inside])
        return group

    def _custom_image(self) -> str:
        return CUSTOM_IMAGE

    def _efs(self) -> str:
        efs = self._client("efs")
        file_system = efs.create_file_system(CreationToken=str(uuid.uuid4()), Encrypted=True)["FileSystemId"]
        efs.create_mount_target(
            FileSystemId=file_system, SubnetId=self._subnet(), SecurityGroups=[self._security_group()]
        )
        return file_system

    def _volume(self, volume: str, settings: str) -> None:
        """A volume of OpenZFS or ONTAP, which moto has not, on a file system."""
        kind = "OPENZFS" if settings == "FsxOpenZfsSettings" else "ONTAP"
        file_system = self._fsx(kind, self._security_group())
        VOLUMES[volume] = {"VolumeId": volume, "VolumeType": kind, "FileSystemId": file_system}

    def _lustre(self) -> str:
        lustre = {"DeploymentType": "PERSISTENT_2", "PerUnitStorageThroughput": 250}
        return self._fsx("LUSTRE", self._lustre_security_group(), LustreConfiguration=lustre)

    def _fsx(self, kind: str, group: str, **configuration: Any) -> str:
        subnet = self._subnet()
        interface = self._client("ec2").create_network_interface(SubnetId=subnet, Groups=[group])
        file_system = self._client("fsx").create_file_system(
            FileSystemType=kind,
            StorageCapacity=1200,
            SubnetIds=[subnet],
            SecurityGroupIds=[group],
            **configuration,
        )["FileSystem"]["FileSystemId"]
        # AWS's ids have 17 digits, which ParallelCluster insists on; moto's have 8.
        known = fsx_backends[DEFAULT_ACCOUNT_ID][self.region].file_systems
        made = known.pop(file_system)
        file_system = made.file_system_id = f"fs-{uuid.uuid4().hex[:17]}"
        known[file_system] = made
        NETWORK_OF_FILE_SYSTEMS[file_system] = {
            "VpcId": self.vpc,
            "NetworkInterfaceIds": [interface["NetworkInterface"]["NetworkInterfaceId"]],
        }
        return file_system

    def _lustre_security_group(self) -> str:
        """As `infra/` makes it: Lustre's ports and nothing else."""
        ec2 = self._client("ec2")
        group = ec2.create_security_group(GroupName=str(uuid.uuid4()), Description="-", VpcId=self.vpc)["GroupId"]
        inside = {"IpRanges": [{"CidrIp": "10.0.0.0/16"}]}
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[
                {"IpProtocol": "tcp", "FromPort": first, "ToPort": last, **inside} for first, last in LUSTRE_PORTS
            ],
        )
        return group

    def _secret(self) -> str:
        return self._client("secretsmanager").create_secret(Name=str(uuid.uuid4()), SecretString="-")["ARN"]

    def _policy(self) -> str:
        anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": anything})
        iam = self._client("iam")
        return iam.create_policy(PolicyName=str(uuid.uuid4()), PolicyDocument=document)["Policy"]["Arn"]

    def _key_pair(self, name: str) -> None:
        with contextlib.suppress(self._client("ec2").exceptions.ClientError):
            self._client("ec2").create_key_pair(KeyName=name, KeyType="ed25519")

    def _bucket(self, name: str) -> None:
        location = {} if self.region == "us-east-1" else {"LocationConstraint": self.region}
        s3 = self._client("s3")
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": location} if location else {}))

    def _object(self, bucket: str, key: str) -> None:
        self._bucket(bucket)
        self._client("s3").put_object(Bucket=bucket, Key=key, Body=b"")


#: FSx for Lustre guide, "File system access control with Amazon VPC".
LUSTRE_PORTS = [(988, 988), (1018, 1023)]

#: What FSx says of a file system's network and moto does not, by id.
NETWORK_OF_FILE_SYSTEMS: dict[str, dict[str, Any]] = {}

#: What FSx says of volumes, by id.
VOLUMES: dict[str, dict[str, Any]] = {}


def _describe_volumes(response: FSxResponse) -> str:
    """The one call that ParallelCluster's validators make of FSx and that moto has not."""
    return json.dumps({"Volumes": [VOLUMES[each] for each in json.loads(response.body)["VolumeIds"]]})


FSxResponse.describe_volumes = _describe_volumes

_describe_lustre = FileSystem.to_dict


def _describe_with_network(file_system: FileSystem) -> dict[str, Any]:
    network = NETWORK_OF_FILE_SYSTEMS.get(file_system.file_system_id, {})
    return {**_describe_lustre(file_system), **network}


def image(number: int, name: str, architecture: str, system: str, tags: dict[str, str]) -> dict[str, Any]:
    return {
        "ami_id": f"ami-{number:017x}",
        "name": name,
        "description": "AWS ParallelCluster AMI" if name != "custom" else "",
        "owner_id": "247102896272",
        "public": True,
        "virtualization_type": "hvm",
        "architecture": architecture,
        "state": "available",
        "image_type": "machine",
        "image_location": "amazon/parallelcluster",
        "hypervisor": "xen",
        "root_device_type": "ebs",
        "root_device_name": "/dev/xvda",
        "sriov": "simple",
        "creation_date": "2026-01-01T00:00:00.000Z",
        "tags": {"parallelcluster:version": VERSION, "parallelcluster:os": system, **tags},
    }


#: ParallelCluster's own images, named as AWS publishes them.
OFFICIAL_IMAGES = [
    image(number, f"aws-parallelcluster-{VERSION}-{part}-{architecture}-202601010000", architecture, system, {})
    for number, (architecture, (system, part)) in enumerate(
        itertools.product(("x86_64", "arm64"), OS_TO_IMAGE_NAME_PART_MAP.items()), start=1
    )
    if system not in PRIVATE_OSES
]

CUSTOM_IMAGE = f"ami-{0:017x}"


def custom_image(document: Any) -> dict[str, Any]:
    """One that `pcluster build-image` made for the nodes of this configuration."""
    head_node = document.get("HeadNode", {}).get("InstanceType")
    architectures = INSTANCE_TYPES.get(head_node, {}).get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    architecture = "arm64" if "arm64" in architectures else "x86_64"
    system = document.get("Image", {}).get("Os", "alinux2023")
    return image(0, "custom", architecture, system, {"parallelcluster:build_status": "available"})


def _accept_instance_store(mapping: dict[str, Any]) -> None:
    """EC2 accepts a mapping by VirtualName, and an Ebs whose size the snapshot gives; moto 5.2 does not."""
    if not mapping.get("VirtualName") and "Ebs" not in mapping and mapping.get("NoDevice") is None:
        raise instances.MissingParameterError("ebs")


@contextlib.contextmanager
def seeded_aws(document: Any, region: str) -> Iterator[SeededAws]:
    """AWS as the configuration wants it, for as long as the context lasts."""
    amis.AMIS[:] = [*OFFICIAL_IMAGES, custom_image(document)]
    instances.InstanceResponse._validate_block_device_mapping = staticmethod(_accept_instance_store)
    FileSystem.to_dict = _describe_with_network  # moto 5.2 leaves out where a file system is reached
    Ec2Client.describe_placement_group = lambda _self, _name: {}  # moto has no DescribePlacementGroups
    with moto.mock_aws(), seeded_capacity(document, region + ZONE):
        VOLUMES.clear()
        aws = SeededAws(region)
        aws.add_what_is_named_in(document)
        yield aws
