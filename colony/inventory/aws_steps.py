"""What AWS wants done before it deletes a thing. Each step may be taken again."""

from __future__ import annotations

from typing import Any

from colony.inventory.aws_calls import AwsCalls

__all__ = [
    "detach_gateway",
    "empty_profile",
    "forget_group",
    "let_go_of_address",
    "let_go_of_subnets",
    "strip_role",
]


def let_go_of_address(calls: AwsCalls, address: str) -> None:
    found = calls.of("ec2", "describe_addresses", AllocationIds=[address])["Addresses"]
    for each in found:
        if association := each.get("AssociationId"):
            calls.of("ec2", "disassociate_address", AssociationId=association)


def forget_group(calls: AwsCalls, group: str) -> None:
    """Two groups that name each other hold each other: the rules go first, the others' too."""
    name = [{"Name": "ip-permission.group-id", "Values": [group]}]
    for each in calls.of("ec2", "describe_security_groups", Filters=name)["SecurityGroups"]:
        _revoke(calls, each["GroupId"], "ingress", each["IpPermissions"], group)
    name = [{"Name": "egress.ip-permission.group-id", "Values": [group]}]
    for each in calls.of("ec2", "describe_security_groups", Filters=name)["SecurityGroups"]:
        _revoke(calls, each["GroupId"], "egress", each["IpPermissionsEgress"], group)


def let_go_of_subnets(calls: AwsCalls, table: str) -> None:
    found = calls.of("ec2", "describe_route_tables", RouteTableIds=[table])["RouteTables"]
    for association in (one for each in found for one in each.get("Associations", [])):
        if not association.get("Main"):
            asked = association["RouteTableAssociationId"]
            calls.of("ec2", "disassociate_route_table", AssociationId=asked)


def detach_gateway(calls: AwsCalls, gateway: str) -> None:
    asked = {"InternetGatewayIds": [gateway]}
    found = calls.of("ec2", "describe_internet_gateways", **asked)["InternetGateways"]
    for attachment in (one for each in found for one in each.get("Attachments", [])):
        vpc = attachment["VpcId"]
        calls.of("ec2", "detach_internet_gateway", InternetGatewayId=gateway, VpcId=vpc)


def empty_profile(calls: AwsCalls, profile: str) -> None:
    asked = {"InstanceProfileName": profile}
    for role in calls.of("iam", "get_instance_profile", **asked)["InstanceProfile"]["Roles"]:
        calls.of("iam", "remove_role_from_instance_profile", RoleName=role["RoleName"], **asked)


def strip_role(calls: AwsCalls, role: str) -> None:
    for policy in calls.pages(
        "iam", "list_attached_role_policies", "AttachedPolicies", RoleName=role
    ):
        calls.of("iam", "detach_role_policy", RoleName=role, PolicyArn=policy["PolicyArn"])
    for name in calls.pages("iam", "list_role_policies", "PolicyNames", RoleName=role):
        calls.of("iam", "delete_role_policy", RoleName=role, PolicyName=name)
    held = calls.pages("iam", "list_instance_profiles_for_role", "InstanceProfiles", RoleName=role)
    for profile in held:
        asked = {"InstanceProfileName": profile["InstanceProfileName"], "RoleName": role}
        calls.of("iam", "remove_role_from_instance_profile", **asked)


def _revoke(
    calls: AwsCalls, holder: str, way: str, permissions: list[dict[str, Any]], group: str
) -> None:
    """Only the rules about the group; a rule may name others, too."""
    about = [
        {**_plain(each), "UserIdGroupPairs": [{"GroupId": group}]}
        for each in permissions
        if any(pair.get("GroupId") == group for pair in each.get("UserIdGroupPairs", []))
    ]
    if about:
        call = f"revoke_security_group_{way}"
        calls.of("ec2", call, GroupId=holder, IpPermissions=about)


def _plain(permission: dict[str, Any]) -> dict[str, Any]:
    """Protocol and ports."""
    keys = ("IpProtocol", "FromPort", "ToPort")
    return {key: permission[key] for key in keys if key in permission}
