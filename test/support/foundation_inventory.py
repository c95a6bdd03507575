"""What of the foundation's templates is in the emulator.

Reads from standard input a JSON list of {"stack": NAME, "template": TEXT, "parameters": {}}, and writes a JSON list with
every resource of those templates: {"stack", "id", "type", "properties", "known", "found"}. `known` says whether the
emulator's CloudFormation makes such a thing at all; `found` is what the service itself answers about it, or null.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "dev", "python"))

import boto3
import moto_cloudformation
from moto.cloudformation.parsing import get_model_map

Describe = Callable[[str, dict[str, Any]], Any]

clients: dict[str, Any] = {}


def client(name: str) -> Any:
    return clients.setdefault(name, boto3.client(name))


def ec2(method: str, argument: str, answer: str) -> Describe:
    return lambda physical_id, _properties: getattr(client("ec2"), method)(**{argument: [physical_id]})[answer]


def route(physical_id: str, _properties: Any) -> Any:
    table, destination = physical_id.split("~")
    [found] = client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return [each for each in found["Routes"] if each.get("DestinationCidrBlock") == destination]


def association(_physical_id: str, resource: dict[str, Any]) -> Any:
    subnet = resource["physical_ids"][resource["properties"]["SubnetId"]["Ref"]]
    filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
    return client("ec2").describe_route_tables(Filters=filters)["RouteTables"]


def rule(is_egress: bool) -> Describe:
    def describe(_physical_id: str, resource: dict[str, Any]) -> Any:
        properties = resource["properties"]
        group = resource["physical_ids"][properties["GroupId"]["Ref"]]
        filters = [{"Name": "group-id", "Values": [group]}]
        rules = client("ec2").describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
        return [
            each
            for each in rules
            if each["IsEgress"] == is_egress and each.get("Description", "") == properties.get("Description", "")
        ] or rules_to(rules, is_egress, resource)

    return describe


def rules_to(rules: list[Any], is_egress: bool, resource: dict[str, Any]) -> list[Any]:
    """moto keeps descriptions of rules for ranges of addresses only."""
    reference = resource["properties"].get("DestinationSecurityGroupId" if is_egress else "SourceSecurityGroupId")
    other = resource["physical_ids"].get(reference["Ref"])
    return [
        each
        for each in rules
        if each["IsEgress"] == is_egress and each.get("ReferencedGroupInfo", {}).get("GroupId") == other
    ]


DESCRIBE: dict[str, Describe] = {
    "AWS::EC2::VPC": ec2("describe_vpcs", "VpcIds", "Vpcs"),
    "AWS::EC2::Subnet": ec2("describe_subnets", "SubnetIds", "Subnets"),
    "AWS::EC2::RouteTable": ec2("describe_route_tables", "RouteTableIds", "RouteTables"),
    "AWS::EC2::SubnetRouteTableAssociation": association,
    "AWS::EC2::Route": route,
    "AWS::EC2::VPCPeeringConnection": ec2(
        "describe_vpc_peering_connections", "VpcPeeringConnectionIds", "VpcPeeringConnections"
    ),
    "AWS::EC2::VPCEndpoint": ec2("describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints"),
    "AWS::EC2::SecurityGroup": ec2("describe_security_groups", "GroupIds", "SecurityGroups"),
    "AWS::EC2::SecurityGroupIngress": rule(is_egress=False),
    "AWS::EC2::SecurityGroupEgress": rule(is_egress=True),
    "AWS::KMS::Key": lambda name, _: client("kms").describe_key(KeyId=name)["KeyMetadata"],
    "AWS::KMS::Alias": lambda name, _: client("kms").describe_key(KeyId=name)["KeyMetadata"],
    "AWS::S3::Bucket": lambda name, _: client("s3").get_bucket_encryption(Bucket=name)[
        "ServerSideEncryptionConfiguration"
    ],
    "AWS::EFS::FileSystem": lambda name, _: client("efs").describe_file_systems(FileSystemId=name)["FileSystems"],
    "AWS::EFS::MountTarget": lambda name, _: client("efs").describe_mount_targets(MountTargetId=name)["MountTargets"],
    "AWS::RDS::DBInstance": lambda name, _: client("rds").describe_db_instances(DBInstanceIdentifier=name)[
        "DBInstances"
    ],
    # moto tells no physical id of these two.
    "AWS::RDS::DBSubnetGroup": lambda _name, resource: [
        each
        for each in client("rds").describe_db_subnet_groups()["DBSubnetGroups"]
        if each["DBSubnetGroupDescription"] == resource["properties"]["DBSubnetGroupDescription"]
    ],
    "AWS::RDS::DBParameterGroup": lambda _name, resource: [
        each
        for each in client("rds").describe_db_parameter_groups()["DBParameterGroups"]
        if each["Description"] == resource["properties"]["Description"]
    ],
    "AWS::IAM::ManagedPolicy": lambda name, _: client("iam").get_policy_version(PolicyArn=name, VersionId="v1")[
        "PolicyVersion"
    ]["Document"],
    "AWS::IAM::Role": lambda name, _: client("iam").get_role(RoleName=name)["Role"],
    "AWS::CloudFormation::Stack": lambda name, _: client("cloudformation").describe_stacks(StackName=name)["Stacks"],
    "AWS::SNS::Topic": lambda name, _: client("sns").get_topic_attributes(TopicArn=name)["Attributes"],
}


def inventory(stack: str, template: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
    resources = moto_cloudformation.processed_template(template, parameters)["Resources"]
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    summaries = [each for page in pages for each in page["StackResourceSummaries"]]
    physical_ids = {
        each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
        for each in summaries
        if "LogicalResourceId" in each
    }
    physical_ids.update({name: value for name, value in parameters.items() if name not in physical_ids})
    lines = []
    for name, resource in resources.items():
        kind, properties = resource["Type"], resource.get("Properties", {})
        known = kind in get_model_map()
        found = None
        if kind in DESCRIBE and name in physical_ids:
            about = {"properties": properties, "physical_ids": physical_ids}
            # Empty is as bad as absent, and so is what the table lacks.
            found = DESCRIBE[kind](physical_ids[name], about) or None
        lines.append(
            {"stack": stack, "id": name, "type": kind, "properties": properties, "known": known, "found": found}
        )
    return lines


if __name__ == "__main__":
    stacks = json.load(sys.stdin)
    print(json.dumps([line for each in stacks for line in inventory(**each)], default=str))
