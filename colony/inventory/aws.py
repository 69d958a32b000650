"""AWS by its own lists of tags; each find is checked with the service itself, because the tagging
API goes on listing things for a while after they are gone.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from colony.inventory import aws_steps
from colony.inventory.aws_calls import AwsCalls, facts, kind_of, words_of
from colony.inventory.aws_lists import by_tag, in_network
from colony.inventory.prices import price_of
from colony.lifecycle.ground import Thing
from jobs.errors import ColonyError, NotReady

__all__ = ["AwsInventory", "everywhere", "open_inventory"]

CLUSTER = "kubernetes.io/cluster/"
"""A tag that asks for all that the controllers of a cluster made, however they mark it."""
VPC = "ec2:vpc"
LAST = 9
"""The stage of what no rule is known for."""


def open_inventory(region: str) -> AwsInventory:
    """Credentials are the SDK's own chain. Raises NotReady without boto3."""
    try:
        import boto3
    except ImportError as error:
        raise NotReady("boto3 is missing: install the extra `colony[aws]`") from error
    return AwsInventory(boto3.session.Session(region_name=region))


def everywhere() -> list[AwsInventory]:
    """Of each region that the account may use. Raises NotReady where AWS does not let us in."""
    home = open_inventory("us-east-1")
    home.check()
    regions = home.calls.of("ec2", "describe_regions")["Regions"]
    return [open_inventory(region["RegionName"]) for region in regions]


@dataclass(frozen=True)
class AwsInventory:
    """One account, one region."""

    session: Any

    @cached_property
    def calls(self) -> AwsCalls:
        return AwsCalls(self.session)

    @property
    def place(self) -> tuple[str, str]:
        return "aws", str(self.session.region_name)

    def check(self) -> None:
        """Raises NotReady unless the credentials are good."""
        try:
            self.calls.of("sts", "get_caller_identity")
        except NotReady:
            raise
        except ColonyError as error:
            raise NotReady(f"the AWS credentials do not work: {error}") from error

    def find(self, tag: str, value: str | None = None) -> list[Thing]:
        """With the networks of ours that are found, what lies in them and belongs to nobody."""
        found: dict[str, dict[str, str]] = {}
        for key, wanted in _marks(tag) if value is None else [(tag, value)]:
            found |= by_tag(self.calls, key, wanted)
        networks = [arn for arn in found if kind_of(arn) == VPC]
        if value is not None:
            found = {**in_network(self.calls, networks), **found}
        things = [each for arn, tags in found.items() if (each := self._seen(arn, tags))]
        return sorted(things, key=lambda thing: (thing.stage, _order(thing), thing.id))

    def delete(self, thing: Thing) -> None:
        rule = facts()["kinds"].get(thing.type)
        if rule is None:
            raise ColonyError(f"{thing.id}: no rule to delete a {thing.type}; delete it by hand")
        words = words_of(thing.id)
        if "before" in rule:
            step: Callable[[AwsCalls, str], None] = getattr(aws_steps, rule["before"])
            step(self.calls, words["id"])
        self.calls.rule(rule["delete"], words)

    def _seen(self, arn: str, tags: dict[str, str]) -> Thing | None:
        """What has no rule is listed: rather one line too many than a leak unseen."""
        kind = kind_of(arn)
        rule = facts()["kinds"].get(kind)
        if rule is None:
            return Thing(arn, kind, tags, stage=LAST)
        described = self.calls.look(rule, words_of(arn))
        state = self.calls.search(rule["state"], described) if "state" in rule else None
        if described is None or state in rule.get("over", []):
            return None
        going = state in rule.get("going", [])
        price = price_of("aws", rule["usd_per_hour"], described, self.place[1])
        idle = bool(self.calls.search(rule.get("idle", "`false`"), described))
        return Thing(arn, kind, tags, price, going=going, stage=rule["stage"], idle=idle)


def _marks(tag: str) -> list[tuple[str, str | None]]:
    if not tag.startswith(CLUSTER):
        return [(tag, None)]
    name = tag.removeprefix(CLUSTER)
    return [(key.format(name=name), value.format(name=name)) for key, value in facts()["marks"]]


def _order(thing: Thing) -> int:
    kinds = list(facts()["kinds"])
    return kinds.index(thing.type) if thing.type in kinds else len(kinds)
