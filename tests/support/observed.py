"""Objects as an API server would give them, small."""

LOST_NODE = "node-9"


def condition(kind, status="True", **more):
    return {"type": kind, "status": status, **more}


def ended(code, message="", at="2026-01-01T00:00:09Z"):
    return {"terminated": {"exitCode": code, "message": message, "finishedAt": at}}


def waiting(reason, message=""):
    return {"waiting": {"reason": reason, "message": message}}


def pod(role, index, phase="Running", *, state=None, job="train", **more):
    """`node`, `attempt`, `conditions`, `init`, `status`, `gpus`, `deleted`, `uid`, `version`."""
    labels = {
        "colony.dev/job": job,
        "colony.dev/role": role,
        "batch.kubernetes.io/job-completion-index": str(index),
    }
    if "attempt" in more:
        labels["jobset.sigs.k8s.io/restart-attempt"] = str(more["attempt"])
    metadata = {"name": f"{job}-{role}-0-{index}-abcde", "labels": labels}
    for key, value in {"uid": "uid", "version": "resourceVersion"}.items():
        if key in more:
            metadata[value] = str(more[key])
    if more.get("deleted"):
        metadata["deletionTimestamp"] = "2026-01-01T00:00:09Z"
    gpus = {"requests": {"nvidia.com/gpu": str(more.get("gpus", 8))}}
    container = {"name": "trainer", "image": "example.org/a:1", "state": state or {}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "nodeName": more.get("node", ""),
            "containers": [{"name": "trainer", "resources": gpus}],
        },
        "status": {
            "phase": phase,
            "conditions": more.get("conditions", []),
            "containerStatuses": [container],
            "initContainerStatuses": [{"name": "wait", "state": s} for s in more.get("init", [])],
            **more.get("status", {}),
        },
    }


def pods(role, phases, **more):
    return [pod(role, index, phase, **more) for index, phase in enumerate(phases)]


def jobset(roles, *conditions, job="train", restarts=0, spec=None, **status):
    """`roles`: name -> pods. Heard of by its controller."""
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": job, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "replicatedJobs": [
                {"name": name, "template": {"spec": {"parallelism": size, "backoffLimit": 0}}}
                for name, size in roles.items()
            ],
            **(spec or {}),
        },
        "status": {"conditions": list(conditions), "restarts": restarts, **status},
    }


def node(name=LOST_NODE, ready="Unknown", heard="2026-01-01T00:00:05Z"):
    found = condition(
        "Ready", ready, reason="NodeStatusUnknown", message="silent", lastHeartbeatTime=heard
    )
    return {"kind": "Node", "metadata": {"name": name}, "status": {"conditions": [found]}}


def event(reason, name, message="", kind="Pod"):
    return {
        "kind": "Event",
        "metadata": {"name": f"{name}.{reason}"},
        "reason": reason,
        "message": message,
        "involvedObject": {"kind": kind, "name": name},
    }
