"""The rights of a launcher that starts its processes by `kubectl exec`."""

from __future__ import annotations

from jobs.backends.marks import Manifest, metadata
from jobs.context import JobContext
from jobs.frameworks import needs_exec
from jobs.member import Member
from jobs.spec import Backend, Job

__all__ = ["access", "identity"]

_GROUP = "rbac.authorization.k8s.io"
_RULES = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]},
]


def access(job: Job, context: JobContext) -> list[Manifest]:
    """Account, role and binding in the job's namespace; none where nothing is exec'd into."""
    if not _execs(job):
        return []
    name = f"{job.name}-launcher"
    own = metadata(job, context, name)
    subject = {"kind": "ServiceAccount", "name": account(job, context)}
    made: list[Manifest] = [
        {"apiVersion": f"{_GROUP}/v1", "kind": "Role", "metadata": own, "rules": _RULES},
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "RoleBinding",
            "metadata": dict(own),
            "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": name},
            "subjects": [{**subject, "namespace": context.namespace}],
        },
    ]
    if context.service_account:
        return made
    return [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": dict(own)}, *made]


def identity(job: Job, role: Member, context: JobContext) -> Manifest:
    """The account of a role's pods. Only a launcher that execs is given its token."""
    if role.launcher and _execs(job):
        return {
            "serviceAccountName": account(job, context),
            "automountServiceAccountToken": True,
        }
    named = {"serviceAccountName": context.service_account} if context.service_account else {}
    return {**named, "automountServiceAccountToken": False}


def account(job: Job, context: JobContext) -> str:
    """A pod has one identity: the cloud's, where it has that."""
    return context.service_account or f"{job.name}-launcher"


def _execs(job: Job) -> bool:
    return needs_exec(job) and job.backend is not Backend.MPIJOB
