"""TensorFlow: TF_CONFIG says who is in the cluster and which task the pod is.

https://www.tensorflow.org/api_docs/python/tf/distribute/cluster_resolver/TFConfigClusterResolver
The sparse form of dynamic workers is that of Kubeflow's TFJob (enableDynamicWorker): a worker knows
itself and the parameter servers, so that workers come and go without the others' knowing.
"""

from __future__ import annotations

import json
from typing import Any

from jobs.frameworks.base import Defaults, Rules
from jobs.frameworks.team import Team
from jobs.hosts import host_pattern
from jobs.member import Member
from jobs.policy import Restart
from jobs.spec import Job

__all__ = ["TensorFlow"]

PORT_NAME = "tfjob-port"
PORT = 2222
_TRAINERS = ("chief", "master", "worker")


class TensorFlow(Rules):
    """The evaluator looks at checkpoints from outside of the cluster. One process a pod."""

    roles = ("chief", "master", "ps", "worker", "evaluator")
    single = ("chief", "master")
    world = ("chief", "master", "worker", "ps")

    def defaults(self, job: Job, name: str) -> Defaults:
        again = name == "worker" and "chief" in job.roles
        return Defaults(
            ports={PORT_NAME: PORT},
            restart=Restart.ON_FAILURE if again else Restart.NEVER,
            processes=1,
        )

    def success(self, job: Job) -> list[list[str]]:
        """The parameter servers never end by themselves."""
        return [[name for name in _TRAINERS if name in job.roles] or list(job.roles)]

    def failure(self, job: Job) -> list[list[str]]:
        """With a chief a failed worker starts again, and the job goes on."""
        forgiven = {"worker"} if "chief" in job.roles else set()
        return [[name] for name in job.roles if name not in forgiven]

    def pod(self, team: Team, role: Member) -> dict[str, str]:
        if sum(member.replicas for member in team.members.values()) < 2:
            return {}
        dynamic = team.job.tensorflow.dynamic_workers
        config = _sparse(team, role) if dynamic else {"cluster": _cluster(team)}
        task = {"type": role.name, "index": "{index}"}
        config |= {"task": task, "environment": "cloud"}
        return {"TF_CONFIG": _json(config)}


def _cluster(team: Team) -> dict[str, list[str]]:
    names = [name for name in team.members if name != "evaluator"]
    return {name: _addresses(team, name) for name in names}


def _sparse(team: Team, role: Member) -> dict[str, Any]:
    """A worker sees itself and the servers; a server sees itself; any other role sees all."""
    own = f"{host_pattern(team.job, role.name)}:{_port(role)}"
    if role.name == "worker":
        servers = _addresses(team, "ps") if "ps" in team.members else []
        return {"sparseCluster": {"worker": {"{index}": own}, "ps": servers}}
    if role.name == "ps":
        return {"sparseCluster": {"worker": {}, "ps": [own]}}
    return {"cluster": _cluster(team)}


def _addresses(team: Team, name: str) -> list[str]:
    port = _port(team.members[name])
    return [f"{host}:{port}" for host in team.hosts(name)]


def _port(role: Member) -> int:
    return role.ports.get(PORT_NAME, PORT)


def _json(config: dict[str, Any]) -> str:
    """The task's index is a number, the key of a sparse worker a text."""
    text = json.dumps(config, separators=(",", ":"))
    return text.replace('"index":"{index}"', '"index":{index}')
