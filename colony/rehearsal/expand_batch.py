"""JobSets, plain Indexed Jobs, and TrainJobs, which become JobSets.

https://jobset.sigs.k8s.io/docs/concepts/,
https://kubernetes.io/docs/concepts/workloads/controllers/job/.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from colony.rehearsal.expand import Manifest, Plan, PlannedPod, Rule, namespace_of, pod_of
from colony.rehearsal.expand_trainjob import as_jobset

__all__ = ["of_jobs", "of_jobset", "of_trainjob"]

INDEX = "batch.kubernetes.io/job-completion-index"


RETRIES_OF_A_JOB = 6
"""Kubernetes' own backoffLimit."""


def of_jobset(jobset: Manifest, manifests: Sequence[Manifest]) -> Plan:
    spec, name = jobset["spec"], jobset["metadata"]["name"]
    domain = spec.get("network", {}).get("subdomain", name)
    groups: dict[str, list[PlannedPod]] = {}
    for each in spec["replicatedJobs"]:
        groups[each["name"]] = [
            _completion(each["template"]["spec"], each["name"], f"{name}-{each['name']}-{replica}",
                        domain, offset=replica * _size(each["template"]["spec"]), index=index,
                        marks={"jobset.sigs.k8s.io/jobset-name": name,
                               "jobset.sigs.k8s.io/replicatedjob-name": each["name"]})
            for replica in range(each.get("replicas", 1))
            for index in range(_size(each["template"]["spec"]))
        ]  # fmt: skip
    role = {group: pods[0].role for group, pods in groups.items()}
    policy = spec.get("successPolicy") or {}
    chosen = [role[each] for each in policy.get("targetReplicatedJobs") or role]
    failure = spec.get("failurePolicy") or {}
    jobs = {role[each["name"]]: each["template"]["spec"] for each in spec["replicatedJobs"]}
    return Plan(
        name=name,
        namespace=namespace_of(jobset),
        pods=[pod for pods in groups.values() for pod in pods],
        success=[[each] for each in chosen] if policy.get("operator") == "Any" else [chosen],
        failure=[[each] for each in role.values()],
        waits={
            role[each["name"]]: [
                (role[other["name"]], other["status"]) for other in each.get("dependsOn") or []
            ]
            for each in spec["replicatedJobs"]
        },
        seconds=min(float(job.get("activeDeadlineSeconds") or "inf") for job in jobs.values()),
        restarts=int(failure.get("maxRestarts", 0)),
        final=_final(failure, jobs.values()),
        **_limits(jobs),
    )


def of_jobs(last: Manifest, manifests: Sequence[Manifest]) -> Plan:
    """One Indexed Job a role; together they are the job, though nothing in the cluster says so."""
    jobs = [
        each for each in manifests if each.get("kind") == "Job" and each["apiVersion"] == "batch/v1"
    ]
    name = last["metadata"].get("labels", {}).get("colony.dev/job", last["metadata"]["name"])
    pods, specs = [], {}
    for job in jobs:
        own = job["metadata"]["name"]
        group = own.removeprefix(f"{name}-")
        domain = job["spec"]["template"]["spec"].get("subdomain", "")
        made = [
            _completion(job["spec"], group, own, domain, index)
            for index in range(_size(job["spec"]))
        ]
        pods += made
        specs[made[0].role] = job["spec"]
    return Plan(
        name=name,
        namespace=namespace_of(last),
        pods=pods,
        success=[list(specs)],
        failure=[[role] for role in specs],
        seconds=min(float(spec.get("activeDeadlineSeconds") or "inf") for spec in specs.values()),
        **_limits(specs),
    )


def of_trainjob(job: Manifest, manifests: Sequence[Manifest]) -> Plan:
    jobset, injected, files = as_jobset(job, manifests)
    plan = of_jobset(jobset, manifests)
    pods = [replace(pod, env=tuple(injected), files=files) for pod in plan.pods]
    return replace(plan, pods=pods)


def _completion(
    job: Manifest, group: str, name: str, domain: str, index: int, offset: int = 0,
    marks: dict[str, str] | None = None,
) -> PlannedPod:  # fmt: skip
    """A pod of an Indexed Job: its hostname is its name without the random suffix."""
    own = f"{name}-{index}"
    marks = {**(marks or {}), INDEX: str(index), "batch.kubernetes.io/job-name": name}
    hosts = [f"{own}.{domain}"] if domain else []
    pod = pod_of(job["template"], group, offset + index, own, hosts, marks=marks)
    return pod


def _size(job: Manifest) -> int:
    return int(job.get("completions") or job.get("parallelism") or 1)


def _limits(jobs: dict[str, Manifest]) -> dict[str, Any]:
    """What the Job of each role says of new starts, and of its own success."""
    own = {r: int(job["backoffLimitPerIndex"]) for r, job in jobs.items() if _per_index(job)}
    return {
        "retries": {
            role: own.get(role, int(job.get("backoffLimit", RETRIES_OF_A_JOB)))
            for role, job in jobs.items()
        },
        "each": frozenset(own),
        "rules": {role: _rules(job) for role, job in jobs.items()},
        "succeeds_alone": frozenset(role for role, job in jobs.items() if job.get("successPolicy")),
    }


def _per_index(job: Manifest) -> bool:
    return job.get("backoffLimitPerIndex") is not None


def _rules(job: Manifest) -> list[Rule]:
    return [
        Rule(rule["action"], frozenset(codes["values"]), codes["operator"] == "NotIn")
        for rule in (job.get("podFailurePolicy") or {}).get("rules") or []
        if (codes := rule.get("onExitCodes"))
    ]


def _final(policy: Manifest, jobs: Any) -> frozenset[int]:
    """What a rule for failures by exit code says of the JobSet: it does not start again."""
    actions = {
        reason: rule["action"]
        for rule in reversed(policy.get("rules") or [])
        for reason in rule.get("onJobFailureReasons") or []
    }
    if actions.get("PodFailurePolicy") != "FailJobSet":
        return frozenset()
    rules = [rule for job in jobs for rule in _rules(job) if rule.action == "FailJob"]
    return frozenset(code for code in range(1, 256) if any(rule.fits(code) for rule in rules))
