"""Calls of AWS's SDK by the rules in `aws.yaml`, with its errors made into ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from jobs.errors import ColonyError, NotReady

__all__ = ["AwsCalls", "facts", "kind_of", "words_of"]

GONE = ("NotFound", "NoSuchEntity", "Unknown")
"""In an error's code: there is no such thing (any more)."""
IN_CLUSTERS = ("nodegroup", "addon", "podidentityassociation")


@dataclass(frozen=True)
class AwsCalls:
    """One account and region."""

    session: Any
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def account(self) -> str:
        return self._myself()[4]

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, `aws-us-gov`."""
        return self._myself()[1]

    def client(self, name: str) -> Any:
        """Made once: that alone takes the SDK a tenth of a second."""
        if name not in self._clients:
            self._clients[name] = self.session.client(name)
        return self._clients[name]

    def of(self, client: str, call: str, **arguments: Any) -> Any:
        """Raises NotReady without credentials, ColonyError with AWS's own words."""
        return self._asked(lambda: getattr(self.client(client), call)(**arguments))

    def pages(self, client: str, call: str, key: str, **arguments: Any) -> list[Any]:
        """The entries under `key` of all pages."""
        pages = self.client(client).get_paginator(call)
        found = self._asked(lambda: list(pages.paginate(**arguments)))
        return [entry for page in found for entry in page[key]]

    def rule(self, rule: dict[str, Any], words: dict[str, str]) -> Any:
        return self.of(rule["client"], rule["call"], **_filled(rule["with"], words))

    def look(self, rule: dict[str, Any], words: dict[str, str]) -> Any:
        """The thing as its service describes it; None where it is gone."""
        asked = rule["look"]
        call = getattr(self.client(asked["client"]), asked["call"])
        try:
            answer = call(**_filled(asked["with"], words))
        except Exception as error:
            if any(word in code_of(error) for word in GONE):
                return None
            said = f"AWS did not say whether {words['arn']} exists: {error}"
            raise ColonyError(said) from error
        return self.search(_filled(rule["thing"], words), answer)

    def search(self, path: str, value: Any) -> Any:
        """JMESPath, as the SDK's own command line has it."""
        import jmespath

        return jmespath.search(path, value)

    def _myself(self) -> list[str]:
        """The parts of the caller's ARN; they stay the same."""
        if "" not in self._clients:
            self._clients[""] = self.of("sts", "get_caller_identity")["Arn"].split(":")
        return list(self._clients[""])

    def _asked(self, ask: Callable[[], Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            return ask()
        except NoCredentialsError as error:
            raise NotReady("no AWS credentials: see `aws configure`") from error
        except (BotoCoreError, ClientError) as error:
            raise ColonyError(f"AWS: {error}") from error


@cache
def facts() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("aws.yaml").read_text())
    return found


def code_of(error: Exception) -> str:
    """`InvalidVpcID.NotFound`; empty for what is no answer of AWS."""
    response = getattr(error, "response", None) or {}
    return str((response.get("Error") or {}).get("Code", ""))


def kind_of(arn: str) -> str:
    """`ec2:volume`. Classic load balancers have no sort in their ARN."""
    kind, name = _parted(arn)
    if kind == "loadbalancer" and "/" not in name:
        kind = "classic"
    return f"{arn.split(':')[2]}:{kind}"


def words_of(arn: str) -> dict[str, str]:
    kind, name = _parted(arn)
    words = {"arn": arn, "id": name.rsplit("/", 1)[-1], "name": name}
    if kind in IN_CLUSTERS:  # nodegroup/CLUSTER/NAME/UUID
        words["cluster"], words["name"] = name.split("/")[:2]
    return words


def _parted(arn: str) -> tuple[str, str]:
    """Type and name: `volume/vol-1`, `log-group:/aws/eks/demo`, of some services with `:*`."""
    rest = arn.split(":", 5)[5]
    cut = min((at for at in (rest.find("/"), rest.find(":")) if at >= 0), default=len(rest))
    return rest[:cut], rest[cut + 1 :].removesuffix(":*")


def _filled(value: Any, words: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, words) for item in value]
    if isinstance(value, bool):
        return value
    text = str(value)
    for word, meant in words.items():
        text = text.replace("{" + word + "}", meant)
    return text
