"""What CloudFormation does and moto's lacks, as far as the templates of infra/ use it.

- Fn::ForEach and functions in Ref and Fn::GetAtt (the transform AWS::LanguageExtensions), by cfn-lint's own.
- Fn::Cidr, and attributes that have a dot in their names.
- Defaults of parameters that are lists.
- Outputs of stacks that a change set made, and of nested ones.
- Egress rules of security groups, which replace the one that allows everything.
- Route tables of subnets, where EC2 tells them; policies of keys.
- Security groups, parameter group, protection and managed password of a database.
"""

import ipaddress
import itertools
import json
import sys
from typing import Any

from cfnlint.decode import decode_str
from cfnlint.template.template import Template
from cfnlint.template.transforms._language_extensions import language_extension
from moto.cloudformation import models, parsing
from moto.core.common_models import CloudFormationModel
from moto.ec2.models import ec2_backends, security_groups, subnets
from moto.kms import models as kms
from moto.rds import models as rds

for owner, name in (
    (parsing, "clean_json"),
    (parsing.ResourceMap, "load_parameters"),
    (parsing.ResourceMap, "validate_outputs"),
    (models.CloudFormationBackend, "create_stack"),
    (models.CloudFormationBackend, "create_change_set"),
    (models.CloudFormationBackend, "execute_change_set"),
    (security_groups.SecurityGroup, "create_from_cloudformation_json"),
    (subnets.SubnetRouteTableAssociation, "create_from_cloudformation_json"),
    (kms.Key, "create_from_cloudformation_json"),
    (rds.DBInstance, "create_from_cloudformation_json"),
    (rds.DBInstance, "get_cfn_attribute"),
    (rds, "MasterUserSecret"),
):
    # A moto release that renames this would otherwise be patched in vain, and fail much later.
    if not hasattr(owner, name):
        sys.exit(f"this version of moto has no {name}, which {__file__} completes")


def processed_template(template: str, parameters: dict[str, str] | None) -> dict[str, Any]:
    """The template as CloudFormation processes it before it makes anything."""
    processed, problems = decode_str(template)
    if not problems and processed.get("Transform") == "AWS::LanguageExtensions":
        for name, value in (parameters or {}).items():
            if name in processed["Parameters"]:
                processed["Parameters"][name]["Default"] = value
        problems, processed = language_extension(Template(None, processed, ["us-east-1"]))
    if problems:
        raise models.ValidationError(message=f"Invalid template: {problems}")
    processed.pop("Transform", None)
    return processed


def processing(method: Any) -> Any:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs["template"] = json.dumps(processed_template(kwargs["template"], kwargs.get("parameters")))
        return method(self, *args, **kwargs)

    return call


models.CloudFormationBackend.create_stack = processing(models.CloudFormationBackend.create_stack)
models.CloudFormationBackend.create_change_set = processing(models.CloudFormationBackend.create_change_set)

execute_change_set = models.CloudFormationBackend.execute_change_set


def execute_change_set_with_outputs(self: Any, change_set_name: str, stack_name: str | None = None) -> None:
    change_set = self.describe_change_set(change_set_name)
    if change_set.change_set_type == "CREATE":
        # moto would fill the stack that was made without a template, which never gets outputs.
        del self.stacks[change_set.stack_id]
        self.create_stack(
            name=change_set.stack_name,
            template=change_set.template,
            parameters=change_set.parameters,
            tags=change_set.tags,
        )
        change_set.execution_status = "EXECUTE_COMPLETE"
        return
    execute_change_set(self, change_set_name, stack_name)
    change_set.stack.parameters = change_set.parameters
    change_set.stack.template_dict = change_set.template_dict
    change_set.stack.output_map = change_set.stack._create_output_map()


models.CloudFormationBackend.execute_change_set = execute_change_set_with_outputs

clean_json = parsing.clean_json


def clean_json_completed(resource_json: Any, resources_map: Any) -> Any:
    if isinstance(resource_json, dict):
        if "Fn::Cidr" in resource_json:
            block, count, bits = (clean_json_completed(each, resources_map) for each in resource_json["Fn::Cidr"])
            subnets = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
            return [str(subnet) for subnet in itertools.islice(subnets, int(count))]
        if "Fn::GetAtt" in resource_json:
            name, *attribute = resource_json["Fn::GetAtt"]
            resource_json = {"Fn::GetAtt": [name, ".".join(attribute)]}
    return clean_json(resource_json, resources_map)


parsing.clean_json = clean_json_completed

load_parameters = parsing.ResourceMap.load_parameters


def load_parameters_with_defaults(self: Any) -> None:
    load_parameters(self)
    for name, parameter in self._template.get("Parameters", {}).items():
        value = self.resolved_parameters.get(name)
        if isinstance(value, str) and parameter["Type"].startswith(("CommaDelimitedList", "List<")):
            self.resolved_parameters[name] = value.split(",")


parsing.ResourceMap.load_parameters = load_parameters_with_defaults


# Knows fewer attributes than there are; cfn-lint checks templates.
parsing.ResourceMap.validate_outputs = lambda _self: None


def allow_egress(group: Any, backend: Any, rule: dict[str, Any]) -> None:
    """Adds the rule; the first one takes the place of the rule that every new group has."""
    group.egress_rules[:] = [each for each in group.egress_rules if each.ip_protocol != "-1"]
    target = rule.get("DestinationSecurityGroupId")
    backend.authorize_security_group_egress(
        group_name_or_id=group.id,
        ip_protocol=rule["IpProtocol"],
        from_port=rule.get("FromPort"),
        to_port=rule.get("ToPort"),
        ip_ranges=[{"CidrIp": rule["CidrIp"]}] if "CidrIp" in rule else [],
        source_groups=[{"GroupId": target}] if target else [],
        vpc_id=group.vpc_id,
    )


create_security_group = security_groups.SecurityGroup.create_from_cloudformation_json.__func__


def create_security_group_with_egress(
    cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
) -> Any:
    group = create_security_group(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    for rule in cloudformation_json["Properties"].get("SecurityGroupEgress", []):
        allow_egress(group, ec2_backends[account_id][region_name], rule)
    return group


security_groups.SecurityGroup.create_from_cloudformation_json = classmethod(create_security_group_with_egress)


create_association = subnets.SubnetRouteTableAssociation.create_from_cloudformation_json.__func__


def create_association_that_is_seen(
    cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
) -> Any:
    association = create_association(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    ec2_backends[account_id][region_name].associate_route_table(
        route_table_id=association.route_table_id, subnet_id=association.subnet_id
    )
    return association


subnets.SubnetRouteTableAssociation.create_from_cloudformation_json = classmethod(create_association_that_is_seen)

create_key = kms.Key.create_from_cloudformation_json.__func__


def create_key_with_policy(
    cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
) -> Any:
    properties = cloudformation_json["Properties"]
    # moto reads the policy as JSON whenever somebody uses the key.
    properties["KeyPolicy"] = json.dumps(properties["KeyPolicy"])
    return create_key(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)


kms.Key.create_from_cloudformation_json = classmethod(create_key_with_policy)


def get_nested_output(self: Any, attribute_name: str) -> Any:
    return self.output_map[attribute_name.removeprefix("Outputs.")].value


models.Stack.get_cfn_attribute = get_nested_output

create_db_instance = rds.DBInstance.create_from_cloudformation_json.__func__


def create_db_instance_with_secret(
    cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
) -> Any:
    properties = cloudformation_json["Properties"]
    properties["VpcSecurityGroupIds"] = properties.get("VPCSecurityGroups", [])
    parameter_group = properties.get("DBParameterGroupName")
    properties["DBParameterGroupName"] = getattr(parameter_group, "name", parameter_group)
    database = create_db_instance(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    database.deletion_protection = properties.get("DeletionProtection", False)
    if properties.get("ManageMasterUserPassword"):
        database.master_user_secret = rds.MasterUserSecret(database, properties["MasterUserSecret"]["KmsKeyId"])
        database.manage_master_user_password = True
    return database


rds.DBInstance.create_from_cloudformation_json = classmethod(create_db_instance_with_secret)

get_db_attribute = rds.DBInstance.get_cfn_attribute


def get_db_attribute_with_secret(self: Any, attribute_name: str) -> Any:
    if attribute_name == "MasterUserSecret.SecretArn":
        return self.master_user_secret.secret_arn
    return get_db_attribute(self, attribute_name)


rds.DBInstance.get_cfn_attribute = get_db_attribute_with_secret


class SecurityGroupEgress(CloudFormationModel):
    """moto finds it among the subclasses of its base class."""

    # moto takes the service from the name of the module.
    __module__ = "moto.ec2.models.security_groups"
    physical_resource_id = "egress"

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::EC2::SecurityGroupEgress"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> "SecurityGroupEgress":
        backend = ec2_backends[account_id][region_name]
        rule = cloudformation_json["Properties"]
        allow_egress(backend.get_security_group_from_id(rule["GroupId"]), backend, rule)
        return cls()
