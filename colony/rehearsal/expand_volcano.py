"""Volcano's Job, with the plugins `svc` and `env`. https://volcano.sh/en/docs/vcjob/"""

from __future__ import annotations

from collections.abc import Sequence

from colony.rehearsal.expand import (
    READY,
    Manifest,
    Plan,
    PlannedPod,
    Rule,
    namespace_of,
    pod_of,
)

__all__ = ["of_volcano"]


def of_volcano(job: Manifest, manifests: Sequence[Manifest]) -> Plan:
    spec, name = job["spec"], job["metadata"]["name"]
    plugins = spec.get("plugins") or {}
    pods = [
        _task_pod(name, task, index, plugins, spec["tasks"])
        for task in spec["tasks"]
        for index in range(int(task.get("replicas", 1)))
    ]
    role = {pod.group: pod.role for pod in pods}
    done = [
        [role[task["name"]]]
        for task in spec["tasks"]
        if _acts(task, "TaskCompleted", "CompleteJob")
    ]
    bad = ("AbortJob", "TerminateJob", "RestartJob")
    fatal = [
        role[task["name"]]
        for task in spec["tasks"]
        if _acts(task, "PodFailed", *bad) or _acts(spec, "PodFailed", *bad)
    ]
    restarts = any(_acts(each, "PodFailed", "RestartJob") for each in (spec, *spec["tasks"]))
    return Plan(
        name=name,
        namespace=namespace_of(job),
        pods=pods,
        success=done or [list(role.values())],
        failure=[[each] for each in fatal],
        waits={
            role[task["name"]]: [(role[other], READY) for other in task["dependsOn"]["name"]]
            for task in spec["tasks"]
            if task.get("dependsOn")
        },
        seconds=_pod_deadline(pods),
        restarts=int(spec.get("maxRetry", 3)) - 1 if restarts else 0,
        retries={
            role[task["name"]]: _task_retries(task, int(spec.get("maxRetry", 3)))
            for task in spec["tasks"]
        },
        rules={role[task["name"]]: _task_rules(task) for task in spec["tasks"]},
    )


def _task_pod(
    job: str, task: Manifest, index: int, plugins: Manifest, tasks: list[Manifest]
) -> PlannedPod:
    name = f"{job}-{task['name']}-{index}"
    template = task["template"]
    host = template["spec"].get("hostname", name)
    marks = {
        "volcano.sh/task-index": str(index),
        "volcano.sh/task-spec": task["name"],
        "volcano.sh/job-name": job,
    }
    env: list[Manifest] = []
    files: dict[str, str] = {}
    if "env" in plugins:
        env = [{"name": key, "value": str(index)} for key in ("VK_TASK_INDEX", "VC_TASK_INDEX")]
    if "svc" in plugins:
        for other in tasks:
            hosts = [f"{job}-{other['name']}-{i}.{job}" for i in range(other.get("replicas", 1))]
            word = other["name"].replace("-", "_").upper()
            env += [{"name": f"VC_{word}_HOSTS", "value": ",".join(hosts)},
                    {"name": f"VC_{word}_NUM", "value": str(len(hosts))}]  # fmt: skip
            files[f"/etc/volcano/{other['name']}.host"] = "\n".join(hosts)
    domain = template["spec"].get("subdomain", job)
    return pod_of(template, task["name"], index, name, [f"{host}.{domain}"], marks=marks,
                  env=tuple(env), files=files)  # fmt: skip


def _acts(owner: Manifest, event: str, *actions: str) -> bool:
    return any(
        policy.get("action") in actions
        and (policy.get("event") == event or event in (policy.get("events") or []))
        for policy in owner.get("policies") or []
    )


def _task_retries(task: Manifest, limit: int) -> int:
    """The kubelet's new starts, and those of a policy for exit codes."""
    policy = task["template"]["spec"].get("restartPolicy", "OnFailure")
    return limit if policy != "Never" or _codes(task) else 0


def _task_rules(task: Manifest) -> list[Rule]:
    """With a policy for some exit codes the others are final."""
    codes = _codes(task)
    return [Rule("FailJob", frozenset(codes), other_codes=True)] if codes else []


def _codes(task: Manifest) -> list[int]:
    return [
        int(policy["exitCode"])
        for policy in task.get("policies") or []
        if policy.get("action") == "RestartPod" and "exitCode" in policy
    ]


def _pod_deadline(pods: list[PlannedPod]) -> float:
    return min(float(pod.spec.get("activeDeadlineSeconds") or "inf") for pod in pods)
