"""The whole colony. No postponed annotations here: Pulumi's analyzer reads them as they stand."""

from typing import Any

import pulumi

from components.agent import build_agent
from components.agent_health import health_of
from components.bill import bill_of
from components.checks import refuse_errors
from components.clusters.base import Cluster, ClusterRequest, kind, node_selector, tolerations
from components.clusters.nodes import NodePool
from components.images import build_images
from components.inputs import ColonyArgs, TrainingJobArgs, coerce
from components.isolation import known_of
from components.layer_choice import chosen_layers
from components.layer_found import as_found
from components.layer_report import checked_cluster
from components.layers import build_layers
from components.placement import ClusterPlacement
from components.queues import build_namespaces, build_queues
from components.quota import namespace_of, queue_objects, space_of
from components.refusals import check_asked
from components.slim import slim
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
    """Cluster name -> cloud, region, identifier, the cloud's own name, pools."""
    kubeconfigs: pulumi.Output[dict[str, str]]
    """Cluster name -> kubeconfig; secret. Without the clusters that are not there."""
    jobs: pulumi.Output[dict[str, Any]]
    """Job name -> cluster, namespace, name of its workload."""
    usd_per_hour: pulumi.Output[float]
    """At the recorded prices."""

    def __init__(
        self, name: str, args: ColonyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        args = coerce(ColonyArgs, args)
        check(args)
        slim()
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
        chosen = chosen_layers(spec, placement, jobs, cluster.node_image)
        chosen, kept = as_found(chosen, self._args.found.of(placement.name))
        layers = build_layers(name, cluster, chosen, self._args.logins)
        holder = _release(layers, "kueue") if any(job.elastic and job.queue for job in jobs) else []
        spaces = build_namespaces(name, cluster, self._namespaces(placement), holder)
        queues = []
        if "kueue" in layers or ("kueue" in kept and spec.queues):
            manifests = queue_objects(spec, placement, jobs, cluster.labelled)
            queues = build_queues(name, cluster, manifests, [*_release(layers, "kueue"), *spaces])
        if "volcano" in layers or ("volcano" in kept and spec.queues):
            ours = volcano_objects(spec, jobs)
            queues += build_queues(name, cluster, ours, [*_release(layers, "volcano"), *spaces])
        bill = None
        if "observability" in layers:
            bill = bill_of(self._args.lease, self._args.placement, placement)
        grouped = self._by_namespace(placement)
        build_images(name, cluster, spec.name, grouped, spaces)
        beside = bool(spec.idle or any(job.elastic for job in jobs))
        health = health_of(spec, cluster, beside)
        agent = build_agent(
            name, cluster, spec.name, grouped, spaces, bill, spec.idle, health,
            spec.teardown.signals,
        )  # fmt: skip
        needed = [layers[each.name] for each in chosen if not each.layer.beside_jobs]
        return cluster, [*cluster.ready, *needed, *spaces, *queues, *agent]

    def _request(self, placement: ClusterPlacement) -> ClusterRequest:
        if placement.cloud == Cloud.ONPREM.value:
            return self._on_hosts(placement)
        if placement.cloud != Cloud.EXISTING.value:
            return ClusterRequest(
                self._prefix,
                placement,
                tags=lease_tags(self._args.lease, placement.cloud),
                outputs=[out.to for job in self._jobs_on(placement) for out in job.outputs],
                inputs=[one.source for job in self._jobs_on(placement) for one in job.inputs],
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

    def _on_hosts(self, placement: ClusterPlacement) -> ClusterRequest:
        """Nothing to tag: the machines are the user's, and stay."""
        given = [c.ssh for c in self._args.spec.clusters if c.name == placement.name and c.ssh]
        if self._args.ssh_keys is None or not given or not given[0].key:
            return ClusterRequest(self._prefix, placement)
        keys = pulumi.Output.secret(self._args.ssh_keys)
        key: pulumi.Output[str] = keys.apply(lambda known: known[placement.name])
        return ClusterRequest(self._prefix, placement, ssh_key=key)

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
                tolerations=tolerations(job, cluster.pools),
                service_account=cluster.service_account,
                pod_labels=cluster.service_account_pod_labels,
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
        spec, jobs = self._args.spec, self._jobs_on(placement)
        spaces = {namespace_of(job, spec) for job in jobs}
        return sorted(spaces | {space_of(queue) for queue in spec.queues})

    def _by_namespace(self, placement: ClusterPlacement) -> dict[str, list[Job]]:
        found: dict[str, list[Job]] = {}
        for job in self._jobs_on(placement):
            found.setdefault(namespace_of(job, self._args.spec), []).append(job)
        return found

    def _publish(self, clusters: dict[str, Cluster], jobs: dict[str, TrainingJob]) -> None:
        self.clusters = known_of(
            {
                name: {
                    "cloud": cluster.placement.cloud,
                    "region": cluster.placement.region,
                    "identifier": cluster.identifier,
                    "name": cluster.cluster_name,
                    "pools": [_shown(pool) for pool in cluster.pools],
                }
                for name, cluster in clusters.items()
            }
        )
        configs = {name: cluster.kubeconfig for name, cluster in clusters.items()}
        self.kubeconfigs = pulumi.Output.secret(known_of(configs))
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
        built = kind(place.cloud, f"placement.clusters.{name}.cloud")
        on_it = [job for job in args.spec.jobs if args.placement.jobs.get(job.name) == name]
        check_asked(args.spec, place, on_it, args.lease.created)
        built.check(place)
        chosen = chosen_layers(args.spec, place, on_it)
        ours, kept = as_found(chosen, args.found.of(name))
        refuse_errors(checked_cluster(args.spec, place, on_it, ours, kept=kept))
    if args.spec.queues and len(clusters) > 1:
        raise NotSupported(Problem("queues", "projects over several clusters are not built yet"))
    problems = [
        Problem(f"placement.jobs.{job.name}", "the job is placed on no cluster of the placement")
        for job in args.spec.jobs
        if args.placement.jobs.get(job.name) not in clusters
    ]
    if problems:
        raise InputError(*problems)


def _shown(pool: NodePool) -> dict[str, Any]:
    taints = [f"{taint.key}={taint.value}:{taint.effect}" for taint in pool.taints]
    return {"name": pool.name, "nodes": pool.nodes, "labels": pool.labels, "taints": taints}


def _release(layers: dict[str, pulumi.Resource], name: str) -> list[pulumi.Resource]:
    """None of ours where the cluster's own is used."""
    return [layers[name]] if name in layers else []


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
