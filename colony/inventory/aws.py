"""AWS by the Resource Groups Tagging API; each find is checked with the service itself, because
that API goes on listing things for a while after they are gone.

https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from colony.lifecycle.ground import Thing
from jobs.errors import ColonyError, NotReady

__all__ = ["AwsInventory", "open_inventory"]


def open_inventory(region: str) -> AwsInventory:
    """Credentials are the SDK's own chain. Raises NotReady without boto3."""
    try:
        import boto3
    except ImportError as error:
        raise NotReady("boto3 is missing: install the extra `colony[aws]`") from error
    return AwsInventory(boto3.session.Session(region_name=region))


@dataclass(frozen=True)
class AwsInventory:
    """One account, one region."""

    session: Any

    def check(self) -> None:
        """Raises NotReady unless the credentials are good."""
        try:
            self._asked(lambda: self._client("sts").get_caller_identity())
        except NotReady:
            raise
        except ColonyError as error:
            raise NotReady(f"the AWS credentials do not work: {error}") from error

    def find(self, tag: str, value: str | None = None) -> list[Thing]:
        pages = self._client("resourcegroupstaggingapi").get_paginator("get_resources")
        wanted = {"Key": tag, **({"Values": [value]} if value is not None else {})}
        found = []
        for page in self._asked(lambda: list(pages.paginate(TagFilters=[wanted]))):
            for entry in page["ResourceTagMappingList"]:
                tags = {each["Key"]: each["Value"] for each in entry["Tags"]}
                thing = Thing(entry["ResourceARN"], _kind(entry["ResourceARN"]), tags)
                if self._exists(thing):
                    found.append(thing)
        return sorted(found, key=lambda thing: (thing.type, thing.id))

    def delete(self, thing: Thing) -> None:
        known = _facts().get(thing.type)
        if known is None:
            raise ColonyError(f"{thing.id}: no rule to delete a {thing.type}; delete it by hand")
        self._asked(lambda: self._call(known["delete"], thing.id))

    def _exists(self, thing: Thing) -> bool:
        """What has no rule is listed: rather one line too many than a leak unseen."""
        known = _facts().get(thing.type)
        if known is None:
            return True
        try:
            state = _dig(self._call(known["look"], thing.id), known["look"]["path"])
        except Exception as error:
            if "NotFound" in type(error).__name__ or "NotFound" in str(error):
                return False
            raise ColonyError(f"AWS did not say whether {thing.id} exists: {error}") from error
        return state is not None and state not in known.get("over", [])

    def _call(self, rule: dict[str, Any], arn: str) -> Any:
        call = getattr(self._client(rule["client"]), rule["call"])
        return call(**_filled(rule["with"], _words(arn)))

    def _asked(self, ask: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            return ask()
        except NoCredentialsError as error:
            raise NotReady("no AWS credentials: see `aws configure`") from error
        except (BotoCoreError, ClientError) as error:
            raise ColonyError(f"AWS: {error}") from error

    def _client(self, name: str) -> Any:
        return self.session.client(name)


@cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    return facts


def _kind(arn: str) -> str:
    service, rest = arn.split(":", 5)[2::3]
    return f"{service}:{rest.split('/', 1)[0].split(':', 1)[0]}"


def _words(arn: str) -> dict[str, str]:
    parts = arn.split(":", 5)[5].split("/")
    words = {"arn": arn, "id": parts[-1]}
    if parts[0] == "nodegroup":  # nodegroup/CLUSTER/NAME/UUID
        words |= {"cluster": parts[1], "name": parts[2]}
    return words


def _filled(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, words) for item in value]
    return str(value).format(**words)


def _dig(value: Any, path: list[Any]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError):
            return None
    return value
