#!/usr/bin/env -S python3 -u
"""The policy pack: `pulumi up --policy-pack stacks/policy`, or this file where the CLI has no
language host beside it. What the rules say is `components/policy.py`; docs/policy.md has the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

from components.policy import elsewhere, open_server, over_price, strange, unleased
from jobs.errors import Problem

COLONY = "colony:index:Colony"
WORDS = {"type": "array", "items": {"type": "string"}}

Rule = Callable[[ResourceValidationArgs, dict[str, Any]], list[Problem]]


def policy(name: str, about: str, rule: Rule, **config: dict[str, Any]) -> ResourceValidationPolicy:
    """Every problem of the rule is a violation; its path is in the message."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        given = args.get_config()
        unknown = strange(given, config) if args.resource_type == COLONY else []
        for problem in [*unknown, *rule(args, given)]:
            report(str(problem), None)

    schema = PolicyConfigSchema(config) if config else None
    return ResourceValidationPolicy(name, about, validate, config_schema=schema)


def lease_tags(args: ResourceValidationArgs, _: dict[str, Any]) -> list[Problem]:
    return unleased(args.resource_type, args.props)


def api_server(args: ResourceValidationArgs, _: dict[str, Any]) -> list[Problem]:
    return open_server(args.resource_type, args.props)


def price(args: ResourceValidationArgs, config: dict[str, Any]) -> list[Problem]:
    if args.resource_type != COLONY or config.get("usd") is None:
        return []
    return over_price(args.props["placement"], config["usd"])


def places(args: ResourceValidationArgs, config: dict[str, Any]) -> list[Problem]:
    if args.resource_type != COLONY:
        return []
    return elsewhere(args.props["placement"], config.get("clouds"), config.get("regions"))


PolicyPack(
    name="colony",
    enforcement_level=EnforcementLevel.MANDATORY,
    policies=[
        policy("lease-tags", "What a cloud bills carries the colony's lease.", lease_tags),
        policy("no-open-api-server", "A public API server has a list of networks.", api_server),
        policy("max-usd-per-hour", "A colony costs at most so much.", price,
               usd={"type": "number", "minimum": 0}),
        policy("allowed-places", "Clusters are in allowed clouds and regions.", places,
               clouds=WORDS, regions={"type": "object", "additionalProperties": WORDS}),
    ],
)  # fmt: skip
