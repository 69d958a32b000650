"""What AWS lists by a tag. No list is complete: the tagging API has no IAM roles, no addresses and
lags behind, EC2's own has only EC2, and EKS and IAM are asked thing by thing."""

from __future__ import annotations

from typing import Any

from colony.inventory.aws_calls import AwsCalls, facts

__all__ = ["by_tag", "in_network"]

Found = dict[str, dict[str, str]]
"""ARN -> tags."""
OWNER = "colony-stack"
HEAD = 20
"""Characters of a colony's name that the names of its IAM roles begin with at least."""


def by_tag(calls: AwsCalls, tag: str, value: str | None) -> Found:
    """Everything with the tag (and value)."""
    found = {
        **_of_groups(calls, tag, value), **_tagging(calls, tag, value), **_ec2(calls, tag, value),
        **_eks(calls),
    }  # fmt: skip
    if tag == OWNER and value is not None:
        found |= _iam(calls, value)
    return {arn: tags for arn, tags in found.items() if _fits(tags, tag, value)}


def in_network(calls: AwsCalls, networks: list[str]) -> Found:
    """What lies in these VPCs with no tags but a controller's: interfaces, gateways, groups, and
    load balancers."""
    found: Found = {}
    for network in networks:
        head, _, vpc = network.rpartition(":vpc/")
        for rule in facts()["inside"]:
            where = {rule["filter"]: [{"Name": "vpc-id", "Values": [vpc]}]}
            answer = calls.of("ec2", rule["call"], **where)
            for name, pairs in calls.search(rule["ids"], answer) or []:
                found[f"{head}:{rule['kind']}/{name}"] = _tags(pairs)
        found |= _balancers(calls, head.replace(":ec2:", ":elasticloadbalancing:"), vpc)
    return {arn: tags for arn, tags in found.items() if _is_nobodys(tags)}


def _balancers(calls: AwsCalls, head: str, vpc: str) -> Found:
    """Of both generations; their descriptions hold no tags."""
    balancers = calls.pages("elbv2", "describe_load_balancers", "LoadBalancers")
    groups = calls.pages("elbv2", "describe_target_groups", "TargetGroups")
    arns = [each["LoadBalancerArn"] for each in balancers if each.get("VpcId") == vpc]
    arns += [each["TargetGroupArn"] for each in groups if each.get("VpcId") == vpc]
    found: Found = {}
    for some in (arns[i : i + 20] for i in range(0, len(arns), 20)):
        said = calls.of("elbv2", "describe_tags", ResourceArns=some)["TagDescriptions"]
        found |= {each["ResourceArn"]: _tags(each["Tags"]) for each in said}
    classic = calls.pages("elb", "describe_load_balancers", "LoadBalancerDescriptions")
    for name in [each["LoadBalancerName"] for each in classic if each.get("VPCId") == vpc]:
        (said,) = calls.of("elb", "describe_tags", LoadBalancerNames=[name])["TagDescriptions"]
        found[f"{head}:loadbalancer/{name}"] = _tags(said["Tags"])
    return found


def _tagging(calls: AwsCalls, tag: str, value: str | None) -> Found:
    wanted = {"Key": tag, **({"Values": [value]} if value is not None else {})}
    client, key = "resourcegroupstaggingapi", "ResourceTagMappingList"
    entries = calls.pages(client, "get_resources", key, TagFilters=[wanted])
    return {_owned(calls, entry["ResourceARN"]): _tags(entry["Tags"]) for entry in entries}


def _owned(calls: AwsCalls, arn: str) -> str:
    """Some, as those of snapshots, name no account, and only sometimes."""
    return f"{_head(calls)}:{arn.split(':', 5)[5]}" if arn.startswith(_nobodys(calls)) else arn


def _nobodys(calls: AwsCalls) -> str:
    return f"arn:{calls.partition}:ec2:{calls.session.region_name}::"


def _of_groups(calls: AwsCalls, tag: str, value: str | None) -> Found:
    """Groups of machines, and theirs, which need not have their tags."""
    by = {"Name": "tag-key", "Values": [tag]}
    if value is not None:
        by = {"Name": f"tag:{tag}", "Values": [value]}
    found: Found = {}
    call, key = "describe_auto_scaling_groups", "AutoScalingGroups"
    for group in calls.pages("autoscaling", call, key, Filters=[by]):
        found[group["AutoScalingGroupARN"]] = tags = _tags(group.get("Tags"))
        for machine in group["Instances"]:
            found[f"{_head(calls)}:instance/{machine['InstanceId']}"] = tags
    return found


def _ec2(calls: AwsCalls, tag: str, value: str | None) -> Found:
    """Its own list: at once, and with addresses and launch templates."""
    filters = [{"Name": "key", "Values": [tag]}]
    if value is not None:
        filters.append({"Name": "value", "Values": [value]})
    entries = calls.pages("ec2", "describe_tags", "Tags", Filters=filters)
    names = sorted({entry["ResourceId"] for entry in entries})
    if not names:
        return {}
    head = _head(calls)
    whole: Found = {}
    for some in (names[i : i + 200] for i in range(0, len(names), 200)):
        where = [{"Name": "resource-id", "Values": some}]
        for entry in calls.pages("ec2", "describe_tags", "Tags", Filters=where):
            kind = facts()["types"].get(entry["ResourceType"], entry["ResourceType"])
            arn = f"{head}:{kind}/{entry['ResourceId']}"
            whole.setdefault(arn, {})[entry["Key"]] = entry["Value"]
    return {arn: tags for arn, tags in whole.items() if ":placement-group/pg-" not in arn}


def _eks(calls: AwsCalls) -> Found:
    """Clusters, and the node groups of those that are a colony's."""
    found: Found = {}
    for name in calls.pages("eks", "list_clusters", "clusters"):
        cluster = calls.of("eks", "describe_cluster", name=name)["cluster"]
        found[cluster["arn"]] = cluster.get("tags") or {}
        if OWNER not in found[cluster["arn"]]:
            continue
        for group in calls.pages("eks", "list_nodegroups", "nodegroups", clusterName=name):
            asked = {"clusterName": name, "nodegroupName": group}
            described = calls.of("eks", "describe_nodegroup", **asked)["nodegroup"]
            found[described["nodegroupArn"]] = described.get("tags") or {}
    return found


def _iam(calls: AwsCalls, stack: str) -> Found:
    """Its lists have no tags: only what is named after the colony is asked for them."""
    found: Found = {}
    for role in calls.pages("iam", "list_roles", "Roles"):
        if role["RoleName"].startswith(stack[:HEAD]):
            tags = calls.of("iam", "list_role_tags", RoleName=role["RoleName"])["Tags"]
            found[role["Arn"]] = _tags(tags)
    for profile in calls.pages("iam", "list_instance_profiles", "InstanceProfiles"):
        name = profile["InstanceProfileName"]
        if name.startswith(stack[:HEAD]):
            asked = calls.of("iam", "get_instance_profile", InstanceProfileName=name)
            found[profile["Arn"]] = _tags(asked["InstanceProfile"].get("Tags"))
    return found


def _head(calls: AwsCalls) -> str:
    """`arn:aws:ec2:REGION:ACCOUNT`."""
    return f"arn:{calls.partition}:ec2:{calls.session.region_name}:{calls.account}"


def _tags(pairs: Any) -> dict[str, str]:
    return {pair["Key"]: pair["Value"] for pair in pairs or []}


def _is_nobodys(tags: dict[str, str]) -> bool:
    marks = facts()["controllers"]
    return all(any(mark in key for mark in marks) for key in tags)


def _fits(tags: dict[str, str], tag: str, value: str | None) -> bool:
    return tag in tags and value in (None, tags[tag])
