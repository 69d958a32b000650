"""What the agent needs to see whether a cluster is idle: its config, its rights. Plain values."""

from __future__ import annotations

from typing import Any

from components.agent_rights import own_map, rule
from components.idle_spec import Idle

__all__ = ["idle_config", "idle_name", "idle_rules"]

Manifest = dict[str, Any]


def idle_name(agent: str) -> str:
    """Of the ConfigMap in which the agent keeps its timers and its signal."""
    return f"{agent}-idle"


def idle_config(idle: Idle, agent: str, home: str, namespaces: list[str]) -> Manifest:
    """As `colony/agent/idle_keeper.py` reads it."""
    spec = idle.model_dump(mode="json", exclude_none=True)
    spaces = list(dict.fromkeys([home, *namespaces]))
    named = {"namespace": home, "name": idle_name(agent), "owner": agent}
    return {**spec, **named, "namespaces": spaces}


def idle_rules(config: Manifest, namespace: str) -> list[Manifest]:
    """Pods are only listed; beside that its own ConfigMap, and the one that owns it."""
    rules = [rule("", "pods", ["list"])]
    if namespace == config["namespace"]:
        rules += own_map(config["name"], config["owner"])
    return rules
