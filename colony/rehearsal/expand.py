"""The pods that a job's controller would make of its manifests, for every kind that jobs become.

Pure: manifests in, a plan out: pods with their names, labels, injected environment and files, what
waits for what, and which roles decide. Each controller's ways are in a file of its own
(`expand_kinds.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jobs.errors import NotSupported, Problem
from jobs.frameworks import complete
from jobs.policy import Pods
from jobs.spec import Job

__all__ = [
    "KINDS",
    "Manifest",
    "Plan",
    "PlannedPod",
    "Rule",
    "expand",
    "find_workload",
    "judged",
    "kind_of",
    "namespace_of",
    "pod_of",
]

Manifest = dict[str, Any]

KINDS = {
    "JobSet": "jobset.x-k8s.io",
    "Job": "batch",
    "VolcanoJob": "batch.volcano.sh",
    "TrainJob": "trainer.kubeflow.org",
    "MPIJob": "kubeflow.org",
    "RayJob": "ray.io",
}
"""What a back end's workload is -> its API group; two kinds are called Job."""

ROLE_LABEL = "colony.dev/role"
READY, COMPLETE = "Ready", "Complete"


@dataclass(frozen=True)
class PlannedPod:
    """One pod. `role` is Colony's, `group` the controller's own word for it (task, replica …)."""

    role: str
    group: str
    index: int
    name: str
    """Of the pod in the cluster, without a random suffix."""
    hosts: tuple[str, ...]
    """DNS names within the namespace; empty = only an address."""
    labels: dict[str, str]
    annotations: dict[str, str]
    spec: Manifest
    env: tuple[Manifest, ...] = ()
    """Entries that the controller adds to every container, after the template's own."""
    by_agent: bool = False
    """Made by Colony's agent and no part of the workload."""
    inside: str = ""
    """Key of the pod in which it is one more process (a RayJob's driver)."""
    files: dict[str, str] = field(default_factory=dict)
    """Absolute path -> text, mounted by the controller."""

    @property
    def container(self) -> Manifest:
        """The one that decides."""
        first: Manifest = self.spec["containers"][0]
        return first

    @property
    def key(self) -> str:
        """`worker-0`: how logs and people call it."""
        return f"{self.role}-{self.index}"


@dataclass(frozen=True)
class Rule:
    """What a failed pod with one of these exit codes means: `FailJob`, `FailIndex`, `Ignore` or
    `Count`."""

    action: str
    codes: frozenset[int] = frozenset()
    other_codes: bool = False
    """All codes but these."""

    def fits(self, code: int) -> bool:
        return (code in self.codes) is not self.other_codes


@dataclass(frozen=True)
class Plan:
    """A job as its controller would run it. Names of roles are Colony's."""

    name: str
    namespace: str
    pods: list[PlannedPod]
    success: list[list[str]]
    """Alternatives: the roles that must all have succeeded."""
    failure: list[list[str]]
    """Alternatives: the roles that must all have failed."""
    fails_together: frozenset[str] = frozenset()
    """Roles that fail with their last pod; the others with the first."""
    succeeds_alone: frozenset[str] = frozenset()
    """Roles that succeed with their first pod; the others with the last."""
    waits: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Role -> (role, Ready or Complete) before its pods are made."""
    seconds: float = float("inf")
    """The whole job's bound."""
    restarts: int = 0
    """How often all pods start again."""
    retries: dict[str, int] = field(default_factory=dict)
    """Role -> how many failed pods are replaced before one has failed for good."""
    each: frozenset[str] = frozenset()
    """Roles whose pods have that many new starts each, rather than together."""
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    """Role -> by exit code; the first that fits counts."""
    config_maps: dict[str, dict[str, str]] = field(default_factory=dict)
    """What the controller makes beside the pods: name -> data."""
    final: frozenset[int] = frozenset()
    """Exit codes after which the whole job does not start again."""

    def roles(self) -> list[str]:
        """In the order of the manifest."""
        return list(dict.fromkeys(pod.role for pod in self.pods))


Expander = Callable[[Manifest, Sequence[Manifest]], Plan]


def expand(manifests: Sequence[Manifest]) -> Plan:
    """The plan of one job. Raises NotSupported where no manifest is a workload."""
    from colony.rehearsal.expand_elastic import with_elastic
    from colony.rehearsal.expand_kinds import EXPANDERS

    workload = find_workload(manifests)
    plan = EXPANDERS[kind_of(workload)](workload, manifests)
    return with_elastic(plan, manifests)


def pod_of(
    template: Manifest, group: str, index: int, name: str, hosts: Sequence[str], **more: Any
) -> PlannedPod:
    """A pod of a template; its labels and annotations are completed by `marks`."""
    metadata = template.get("metadata") or {}
    marks: dict[str, str] = more.pop("marks", {})
    labels = {**(metadata.get("labels") or {}), **marks}
    return PlannedPod(
        role=labels.get(ROLE_LABEL, group),
        group=group,
        index=index,
        name=name,
        hosts=tuple(hosts),
        labels=labels,
        annotations={**(metadata.get("annotations") or {}), **marks},
        spec=template["spec"],
        **more,
    )


def namespace_of(manifest: Manifest) -> str:
    """Of an object; `default` where it says none."""
    return str(manifest["metadata"].get("namespace") or "default")


def judged(plan: Plan, job: Job) -> Plan:
    """The plan with the job's own policy in place of its controller's, as the watch applies it.

    Of a RayJob only the controller knows: its pods do not end by themselves.
    """
    if any(pod.inside for pod in plan.pods):
        return plan
    whole = complete(job)
    roles = whole.roles
    return replace(
        plan,
        success=whole.policy.success or plan.success,
        failure=whole.policy.failure or plan.failure,
        fails_together=frozenset(n for n, role in roles.items() if role.failed is Pods.ALL),
        succeeds_alone=frozenset(n for n, role in roles.items() if role.succeeded is Pods.ANY),
    )


def find_workload(manifests: Sequence[Manifest]) -> Manifest:
    """The last object of a kind that jobs become. Raises NotSupported where there is none."""
    found = [each for each in manifests if kind_of(each)]
    if not found:
        raise NotSupported(Problem("", "none of the manifests is a job that can be run"))
    return found[-1]


def kind_of(manifest: Manifest) -> str:
    """Its name in KINDS, or empty."""
    group = str(manifest.get("apiVersion", "")).rpartition("/")[0]
    name = "VolcanoJob" if group == KINDS["VolcanoJob"] else str(manifest.get("kind", ""))
    return name if KINDS.get(name) == group else ""
