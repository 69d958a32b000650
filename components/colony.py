"""The whole colony. No postponed annotations here: Pulumi's analyzer reads them as they stand."""

from typing import Any

import pulumi

from components.agent import build_agent
from components.clusters.base import Cluster, ClusterRequest, kind, node_selector
from components.inputs import ColonyArgs, TrainingJobArgs, coerce
from components.layer_choice import chosen_layers
from components.layers import build_layers
from components.placement import ClusterPlacement
from components.queues import build_namespaces, build_queues
from components.quota import check_queues, namespace_of, queue_objects
from components.spec import Cloud
from components.tags import lease_tags
from components.training_job import TrainingJob, public
from components.volcano_queues import volcano_objects
from jobs.errors import InputError, NotSupported, Problem
from jobs.spec import Job

__all__ = ["Colony", "check"]


class Colony(pulumi.ComponentResource):
    """Clusters, the layers on them and the jobs, exactly as the placement says."""

    clusters: pulumi.Output[dict[str, Any]]
    """Cluster name -> cloud, region, identifier."""
    kubeconfigs: pulumi.Output[dict[str, str]]
    """Cluster name -> kubeconfig; secret."""
    jobs: pulumi.Output[dict[str, Any]]
    """Job name -> cluster, namespace, name of its workload."""
    usd_per_hour: pulumi.Output[float]
    """At the recorded prices."""

    def __init__(
        self, name: str, args: ColonyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        args = coerce(ColonyArgs, args)
        check(args)
        super().__init__("colony:index:Colony", name, _state(args), opts)
        self._prefix = name
        self._args = args
        built = {place.name: self._cluster(place) for place in args.placement.clusters}
        jobs = {
            job.name: self._job(job, cluster, after)
            for cluster, after in built.values()
            for job in self._jobs_on(cluster.placement)
        }
        self._publish({cluster: parts[0] for cluster, parts in built.items()}, jobs)

    def _cluster(self, placement: ClusterPlacement) -> tuple[Cluster, list[pulumi.Resource]]:
        """The cluster, and what has to be in it before its jobs."""
        name = f"{self._prefix}-{placement.name}"
        opts = pulumi.ResourceOptions(parent=self)
        cluster = kind(placement.cloud)(name, self._request(placement), opts)
        jobs, spec = self._jobs_on(placement), self._args.spec
        layers = build_layers(name, cluster, chosen_layers(spec, placement, jobs))
        spaces = build_namespaces(name, cluster, self._namespaces(placement))
        queues = []
        if "kueue" in layers:
            manifests = queue_objects(spec, placement, jobs, cluster.labelled)
            queues = build_queues(name, cluster, manifests, [layers["kueue"], *spaces])
        if "volcano" in layers:
            ours = volcano_objects(spec, jobs)
            queues += build_queues(name, cluster, ours, [layers["volcano"], *spaces])
        agent = build_agent(name, cluster, spec.name, self._by_namespace(placement), spaces)
        return cluster, [*layers.values(), *spaces, *queues, *agent]

    def _request(self, placement: ClusterPlacement) -> ClusterRequest:
        if placement.cloud != Cloud.EXISTING.value:
            return ClusterRequest(
                self._prefix,
                placement,
                tags=lease_tags(self._args.lease, placement.cloud),
                outputs=[out.to for job in self._jobs_on(placement) for out in job.outputs],
                namespaces=self._namespaces(placement),
            )
        given = [c.kubeconfig for c in self._args.spec.clusters if c.name == placement.name]
        text = given[0] if given else None
        if self._args.kubeconfigs is None:
            return ClusterRequest(self._prefix, placement, kubeconfig=text)
        found = pulumi.Output.secret(self._args.kubeconfigs).apply(
            lambda all_of_them: all_of_them.get(placement.name) or text or ""
        )
        return ClusterRequest(self._prefix, placement, kubeconfig=found)

    def _job(self, job: Job, cluster: Cluster, after: list[pulumi.Resource]) -> TrainingJob:
        args, place = self._args, cluster.placement
        secrets = None
        if args.secrets is not None and job.secrets:
            every = pulumi.Output.secret(args.secrets)
            secrets = every.apply(lambda given: given.get(job.name, {}))
        return TrainingJob(
            f"{self._prefix}-{job.name}",
            TrainingJobArgs(
                job=job,
                colony=args.spec.name,
                cluster=place.name,
                cloud=place.cloud,
                region=place.region,
                zone=_zone(job, cluster),
                instance_type=_instance_type(place),
                namespace=namespace_of(job, args.spec),
                owner=args.lease.owner,
                node_selector=node_selector(job, place, cluster.labelled),
                service_account=cluster.service_account,
                code=args.code.get(job.name),
                secrets=secrets,
            ),
            pulumi.ResourceOptions(
                parent=cluster.component,
                providers=[cluster.provider],
                deleted_with=cluster.owner,
                depends_on=after,
            ),
        )

    def _jobs_on(self, placement: ClusterPlacement) -> list[Job]:
        where = self._args.placement.jobs
        return [job for job in self._args.spec.jobs if where[job.name] == placement.name]

    def _namespaces(self, placement: ClusterPlacement) -> list[str]:
        return sorted({namespace_of(job, self._args.spec) for job in self._jobs_on(placement)})

    def _by_namespace(self, placement: ClusterPlacement) -> dict[str, list[Job]]:
        found: dict[str, list[Job]] = {}
        for job in self._jobs_on(placement):
            found.setdefault(namespace_of(job, self._args.spec), []).append(job)
        return found

    def _publish(self, clusters: dict[str, Cluster], jobs: dict[str, TrainingJob]) -> None:
        self.clusters = pulumi.Output.from_input(
            {
                name: {
                    "cloud": cluster.placement.cloud,
                    "region": cluster.placement.region,
                    "identifier": cluster.identifier,
                }
                for name, cluster in clusters.items()
            }
        )
        configs: dict[str, pulumi.Input[str]] = {n: c.kubeconfig for n, c in clusters.items()}
        self.kubeconfigs = pulumi.Output.secret(pulumi.Output.all(**configs))
        self.jobs = pulumi.Output.from_input(
            {
                name: {
                    "cluster": self._args.placement.jobs[name],
                    "namespace": job.namespace,
                    "name": job.workload,
                }
                for name, job in jobs.items()
            }
        )
        self.usd_per_hour = pulumi.Output.from_input(self._args.placement.price_per_hour)
        self.register_outputs(
            {
                "clusters": self.clusters,
                "kubeconfigs": self.kubeconfigs,
                "jobs": self.jobs,
                "usd_per_hour": self.usd_per_hour,
            }
        )


def check(args: ColonyArgs) -> None:
    """Everything that can be refused before the first registration. InputError, NotSupported."""
    clusters = {place.name: place for place in args.placement.clusters}
    for name, place in clusters.items():
        kind(place.cloud, f"placement.clusters.{name}.cloud").check(place)
        on_it = [job for job in args.spec.jobs if args.placement.jobs.get(job.name) == name]
        chosen_layers(args.spec, place, on_it)
        check_queues(args.spec, place)
    if args.spec.queues and len(clusters) > 1:
        raise NotSupported(Problem("queues", "projects over several clusters are not built yet"))
    problems = [
        Problem(f"placement.jobs.{job.name}", "the job is placed on no cluster of the placement")
        for job in args.spec.jobs
        if args.placement.jobs.get(job.name) not in clusters
    ]
    if problems:
        raise InputError(*problems)


def _instance_type(place: ClusterPlacement) -> str:
    """That of all nodes with accelerators, where they are alike."""
    types = {pool.instance_type for pool in place.pools if pool.accelerator_count}
    return types.pop() if len(types) == 1 else ""


def _zone(job: Job, cluster: Cluster) -> str:
    zones = {pool.zone for pool in cluster.placement.pools if pool.accelerator_count and pool.zone}
    return zones.pop() if len(zones) == 1 else ""


def _state(args: ColonyArgs) -> dict[str, Any]:
    """What is kept of the arguments: all but secrets, kubeconfigs and code."""
    spec = args.spec.model_dump(mode="json")
    spec["jobs"] = [public(job) for job in args.spec.jobs]
    for cluster in spec["clusters"]:
        cluster.pop("kubeconfig")
    return {
        "spec": spec,
        "placement": args.placement.model_dump(mode="json"),
        "lease": args.lease.model_dump(mode="json"),
        "prices": args.prices,
        "code": {name: archive.sha256 for name, archive in args.code.items()},
    }
