"""`make bench-scale`: a gang on 1,000 fake GPU nodes, against the same pods of a plain Deployment.

A real control plane with kwok nodes, JobSet and Kueue, on this machine. Timed from the moment that
pods may be made (Kueue's admission; the Deployment's creation) until all of them run.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from testbed import kwok
from testbed.cluster import Cluster, has
from testbed.controllers import Controllers
from testbed.plane import ControlPlane

from jobs.backends import render
from jobs.context import JobContext
from jobs.spec import Job

DEADLINE = 1200.0
LABEL = "colony.dev/job"
RUNS_ON = {f"pod-complete.stage.kwok.x-k8s.io/{name}": "1h" for name in ("delay", "jitter-delay")}
"""kwok would end the pods of a Job after a second; the jitter is the upper bound of the delay."""


def main() -> None:
    """Prints one table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--nodes", type=int, default=1000)
    arguments.add_argument("--gpus", type=int, default=8, help="of a node")
    arguments.add_argument("--repeat", type=int, default=1)
    options = arguments.parse_args()
    console = Console()
    with ControlPlane() as plane:
        kwok.start(plane)
        cluster = Cluster(plane.kubeconfig)
        controllers = Controllers(plane, cluster)
        controllers.start("jobset", "kueue")
        began = time.monotonic()
        kwok.fake_nodes(cluster, options.nodes, options.gpus, seconds=DEADLINE)
        console.print(f"{options.nodes} fake nodes Ready after {time.monotonic() - began:.0f} s")
        try:
            console.print(compare(cluster, options.nodes, options.gpus, options.repeat))
        finally:
            controllers.close()
            cluster.close()


def compare(cluster: Cluster, nodes: int, gpus: int, repeat: int) -> Table:
    """Both, one after the other, each `repeat` times."""
    table = Table("", "pods", "GPUs", "admitted s", "all running s", "x Deployment")
    job = Job(
        name="gang",
        framework="custom",
        nodes=nodes,
        image="example.org/train:1",
        run="true",
        queue="lab",
        resources={"accelerators": f"H100:{gpus}"},
    )
    for _ in range(repeat):
        admitted, ours = gang(cluster, job, gpus)
        plain = deployment(cluster, job)
        size = (str(nodes), str(nodes * gpus))
        table.add_row(
            "JobSet in a queue", *size, f"{admitted:.1f}", f"{ours:.1f}", f"{ours / plain:.2f}"
        )
        table.add_row("plain Deployment", *size, "-", f"{plain:.1f}", "1.00")
    return table


def gang(cluster: Cluster, job: Job, gpus: int) -> tuple[float, float]:
    """(seconds until admitted, seconds from there until all run)."""
    with cluster.namespace("gang") as space:
        cluster.apply(*queue(space, job.nodes, gpus))
        manifests = manifests_of(job, space)
        began = time.monotonic()
        cluster.apply(*manifests, namespace=space)
        cluster.wait(lambda: is_admitted(cluster, space), DEADLINE, "the admission of the gang")
        admitted = time.monotonic()
        wait_running(cluster, space, job.nodes)
        ended = time.monotonic()
        cluster.delete("jobset.x-k8s.io/v1alpha2/JobSet", job.name, space)
        wait_gone(cluster, space)
    return admitted - began, ended - admitted


def deployment(cluster: Cluster, job: Job) -> float:
    """Seconds until all run."""
    with cluster.namespace("plain") as space:
        template = pod_template(manifests_of(job, space)[-1])
        labels = template["metadata"]["labels"]
        template["spec"]["restartPolicy"] = "Always"
        selector = {"matchLabels": {LABEL: labels[LABEL]}}
        spec = {"replicas": job.nodes, "selector": selector, "template": template}
        began = time.monotonic()
        cluster.apply(
            *manifests_of(job, space)[:-1],
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "plain"},
                "spec": spec,
            },
            namespace=space,
        )
        wait_running(cluster, space, job.nodes)
        ended = time.monotonic()
        cluster.delete("apps/v1/Deployment", "plain", space)
        wait_gone(cluster, space)
    return ended - began


def manifests_of(job: Job, space: str) -> list[dict[str, Any]]:
    """As Colony writes them, with pods that go on until they are deleted."""
    context = JobContext("bench", "main", "existing", "", namespace=space)
    manifests = copy.deepcopy(render(job, context))
    pod_template(manifests[-1])["metadata"].setdefault("annotations", {}).update(RUNS_ON)
    return manifests


def pod_template(jobset: dict[str, Any]) -> dict[str, Any]:
    """Of its only role."""
    template: dict[str, Any] = jobset["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
    return template


def queue(space: str, nodes: int, gpus: int) -> list[dict[str, Any]]:
    """Room for exactly this gang."""
    version = "kueue.x-k8s.io/v1beta2"
    resources = [{"name": "nvidia.com/gpu", "nominalQuota": nodes * gpus}]
    flavors = [{"name": "gpu", "resources": resources}]
    groups = [{"coveredResources": ["nvidia.com/gpu"], "flavors": flavors}]
    spec = {"namespaceSelector": {}, "resourceGroups": groups}
    return [
        {"apiVersion": version, "kind": "ResourceFlavor", "metadata": {"name": "gpu"}},
        {"apiVersion": version, "kind": "ClusterQueue", "metadata": {"name": "lab"}, "spec": spec},
        {
            "apiVersion": version,
            "kind": "LocalQueue",
            "metadata": {"name": "lab", "namespace": space},
            "spec": {"clusterQueue": "lab"},
        },
    ]


def is_admitted(cluster: Cluster, space: str) -> bool:
    """Whether Kueue has let the gang in."""
    found = cluster.list("kueue.x-k8s.io/v1beta2/Workload", space)
    return bool(found) and all(has(each, "Admitted") for each in found)


def wait_running(cluster: Cluster, space: str, count: int) -> None:
    """Polls once a second: a list of a thousand pods is work for the API server too."""
    deadline = time.monotonic() + DEADLINE
    while len(cluster.list("v1/Pod", space, fields="status.phase=Running")) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"not all {count} pods run after {DEADLINE:.0f} s")
        time.sleep(1)


def wait_gone(cluster: Cluster, space: str) -> None:
    """Of the pods, so that the next gang finds empty nodes."""
    cluster.wait(lambda: not cluster.list("v1/Pod", space), DEADLINE, "the end of the pods")


if __name__ == "__main__":
    main()
