"""A colony with an elastic job: its agent is there before the job, and goes after it."""

from __future__ import annotations

from typing import Any

from recording import colony_args, record_program

JOB = {
    "name": "train",
    "framework": "horovod",
    "image": "example.com/train:1",
    "run": "python train.py",
    "roles": {"launcher": {}, "worker": {"replicas": 2}},
    "elastic": {"min": 1, "max": 4},
}


def recorded(**job: Any) -> dict[str, Any]:
    from components.colony import Colony

    args = colony_args(cloud="existing", pools=(), jobs=({**JOB, **job},))
    recording = record_program(lambda: Colony("demo", args))
    return {each.name: each for each in recording.requests}


def test_the_agent_stands_before_the_job() -> None:
    found = recorded()
    # on a cluster that is not ours another colony may have an agent, too
    agent = found["demo-main-deployment-colony-agent-demo"]
    (workload,) = [each for each in found.values() if each.type.endswith(":JobSet")]
    assert agent.name in reaches(found, workload.name)


def test_a_job_of_fixed_size_needs_none() -> None:
    plain = {"elastic": None, "framework": "mpi"}
    assert not [name for name in recorded(**plain) if "agent" in name]


def reaches(found: dict[str, Any], start: str) -> set[str]:
    """Names of all that a registration waits for, with what its parents wait for."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        each = found.get(todo.pop())
        for urn in [*each.dependencies, each.parent] if each else []:
            name = urn.rpartition("::")[2]
            if name and name not in seen:
                seen.add(name)
                todo.append(name)
    return seen
