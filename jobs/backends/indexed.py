"""The Indexed Job of a role: what JobSet, TrainJob and plain Jobs share.

https://kubernetes.io/docs/concepts/workloads/controllers/job/ (completion mode, pod failure
policy, back-off limit per index, success policy).
"""

from __future__ import annotations

from jobs.backends.marks import Manifest
from jobs.backends.pod import CONTAINER
from jobs.entrypoint import OUTPUTS_LOST, WRONG_CONFIGURATION
from jobs.member import Member
from jobs.policy import Pods, Restart
from jobs.spec import Job

__all__ = ["INDEX_LABEL", "RESTARTS", "job_spec"]

INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
RESTARTS = 6
"""How often the pods of a role with restarts start again: Kubernetes' own default for a Job."""
_FOR_EVER = 2**31 - 1
_PERMANENT = range(1, 128)
"""Exit codes of a program's own failure; above are signals."""


def job_spec(job: Job, role: Member, template: Manifest, forgiving: bool = False) -> Manifest:
    """`spec` of a batch/v1 Job. A forgiving one never fails but by its deadline."""
    spec: Manifest = {
        "completionMode": "Indexed",
        "parallelism": role.replicas,
        "completions": role.replicas,
        **_limits(job, role, forgiving),
        "activeDeadlineSeconds": job.max_run_time,
        "template": template,
    }
    if role.succeeded is Pods.ANY:
        spec["successPolicy"] = {"rules": [{"succeededCount": 1}]}
    # The field is for pods that are not restarted by the kubelet; elsewhere it is refused.
    if template["spec"]["restartPolicy"] == "Never" and not forgiving:
        spec["podFailurePolicy"] = {"rules": [_rule(job, role)]}
    return spec


def _limits(job: Job, role: Member, forgiving: bool) -> Manifest:
    if forgiving:
        return {"backoffLimit": _FOR_EVER}
    again = 0 if role.restart is Restart.NEVER else max(RESTARTS, job.policy.backoff_limit)
    if role.failed is Pods.ALL:
        return {"backoffLimitPerIndex": again}
    return {"backoffLimit": again}


def _rule(job: Job, role: Member) -> Manifest:
    """What no new start cures."""
    final = {WRONG_CONFIGURATION} | ({OUTPUTS_LOST} if job.outputs else set())
    codes = _PERMANENT if role.restart is Restart.EXIT_CODE else sorted(final)
    return {
        "action": "FailIndex" if role.failed is Pods.ALL else "FailJob",
        "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": list(codes)},
    }
