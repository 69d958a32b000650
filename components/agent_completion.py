"""What the agent needs to tell that the jobs have ended: its config, rights and secrets' files.

Secrets are named in the file and mounted: the agent has no right to read any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.agent_rights import own_map, rule
from components.signal_spec import Signal
from jobs.ending import ends_with
from jobs.frameworks import complete
from jobs.spec import Job

__all__ = ["completion_config", "completion_mounts", "completion_name", "completion_rules"]

SECRETS = "/var/run/colony/signals"

Manifest = dict[str, Any]


def completion_name(agent: str) -> str:
    """Of the ConfigMap with the record."""
    return f"{agent}-completion"


def completion_config(
    signals: list[Signal], agent: str, colony: str, home: str, jobs: Mapping[str, list[Job]]
) -> Manifest:
    """As `colony/agent/completion_keeper.py` reads it. `jobs`: namespace -> its jobs."""
    watched = {
        job.name: {**ends_with(complete(job)), "namespace": space}
        for space, members in sorted(jobs.items())
        for job in members
    }
    named = {"colony": colony, "namespace": home, "name": completion_name(agent), "owner": agent}
    told = [_told(signal) for signal in signals]
    spaces = list(dict.fromkeys([home, *sorted(jobs)]))
    return {**named, "namespaces": spaces, "jobs": watched, "signals": told}


def completion_rules(config: Manifest, namespace: str) -> list[Manifest]:
    """Each job's own object by name; beside that its own ConfigMap, and the one that owns it."""
    rules = []
    for where in config["jobs"].values():
        if where["namespace"] == namespace:
            group = where["path"].split("/")[2]
            rules.append(rule(group, where["resource"], ["get"], [where["name"]]))
    if namespace == config["namespace"]:
        rules += own_map(config["name"], config["owner"])
    return rules


def completion_mounts(signals: list[Signal]) -> tuple[list[Manifest], list[Manifest]]:
    """(volumes, mounts) of the secrets that the signals name."""
    references = [text for signal in signals for text in (signal.secret, signal.ca) if text]
    names = sorted({reference.partition("/")[0] for reference in references})
    volumes = [
        {"name": f"signal-{index}", "secret": {"secretName": name, "defaultMode": 0o444}}
        for index, name in enumerate(names)
    ]
    mounts = [
        {"name": f"signal-{index}", "mountPath": f"{SECRETS}/{name}", "readOnly": True}
        for index, name in enumerate(names)
    ]
    return volumes, mounts


def _told(signal: Signal) -> Manifest:
    found = signal.model_dump(mode="json", exclude_defaults=True)
    return {**found, **{k: f"{SECRETS}/{found[k]}" for k in ("secret", "ca") if k in found}}
