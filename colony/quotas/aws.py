"""AWS by Service Quotas. The limit is told, not what already runs of it.

https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from colony.market.quotas import Quota
from colony.market.zones import Cell

__all__ = ["lookup"]


def lookup(cell: Cell, session: Any = None) -> Quota | None:
    """None without boto3, credentials or permission: it is said to be unknown, and nothing more."""
    family = _family(cell.instance_type)
    if family is None:
        return None
    code = family["spot" if cell.spot else "on_demand"]
    limit = _asked(session or _session(cell.region), code)
    kind = "spot" if cell.spot else "on-demand"
    if limit is None:
        return None
    return Quota(limit, "vCPUs", f"{kind} {family['name']}", _facts()["source"])


def _session(region: str) -> Any:
    try:
        import boto3
    except ImportError:
        return None
    return boto3.session.Session(region_name=region)


def _asked(session: Any, code: str) -> float | None:
    """The account's own value, else AWS's default."""
    if session is None:
        return None
    from botocore.exceptions import BotoCoreError, ClientError

    for call in ("get_service_quota", "get_aws_default_service_quota"):
        try:
            client = session.client("service-quotas")
            answer = getattr(client, call)(ServiceCode="ec2", QuotaCode=code)
        except (BotoCoreError, ClientError):
            continue
        return float(answer["Quota"]["Value"])
    return None


def _family(instance_type: str) -> dict[str, str] | None:
    families: list[dict[str, str]] = _facts()["families"]
    return next((each for each in families if re.match(each["match"], instance_type)), None)


@cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    return facts
