"""A job in a cluster. No postponed annotations here: Pulumi's analyzer reads them as they stand."""

import copy
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.inputs import TrainingJobArgs, coerce
from components.objects import KubernetesObject, name_of
from jobs.backends import render
from jobs.context import JobContext
from jobs.entrypoint import CODE_FILE
from jobs.spec import Job

__all__ = ["TrainingJob"]

_AWAITED = {
    ("batch/v1", "Job"): ("waitFor", "jsonpath={.metadata.uid}"),
    ("v1", "Service"): ("skipAwait", "true"),
}
"""What Pulumi awaits, and the annotation that says for what it shall wait."""


class TrainingJob(pulumi.ComponentResource):
    """One training job as its back end says, with its scripts, code and secrets.

    Pass the cluster's provider in `providers`, and the cluster as `deleted_with` where it is ours.
    A later `up` leaves the job alone, running or finished, unless the job itself (its definition
    or its code) was changed: then it is replaced, and runs anew. Suspending and resuming is done
    in place.
    """

    workload: pulumi.Output[str]
    """Its name in the cluster."""
    namespace: pulumi.Output[str]

    def __init__(
        self, name: str, args: TrainingJobArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        args = coerce(TrainingJobArgs, args)
        props = args.model_dump(mode="json", exclude={"secrets": True, "code": {"data"}})
        props["job"] = public(args.job)
        super().__init__("colony:index:TrainingJob", name, props, _at_once(opts))
        self._opts = opts or pulumi.ResourceOptions()
        secrets = [*self._code(name, args), *self._environment(name, args)]
        manifests = render(args.job, self._context(args))
        workload = self._build(name, manifests, secrets)
        self.workload = pulumi.Output.from_input(workload["metadata"]["name"])
        self.namespace = pulumi.Output.from_input(args.namespace)
        self.register_outputs({"workload": self.workload, "namespace": self.namespace})

    def _build(
        self, name: str, manifests: list[dict[str, Any]], after: list[pulumi.Resource]
    ) -> dict[str, Any]:
        """In the given order, each after all before it; the last is the workload."""
        made = list(after)
        for manifest in manifests:
            opts = pulumi.ResourceOptions.merge(
                self._inside(made),
                pulumi.ResourceOptions(
                    # A workload cannot be changed in place, and its name can exist only once. The
                    # annotations hold the hash of everything but whether it is suspended.
                    replace_on_changes=["metadata.annotations"],
                    delete_before_replace=True,
                ),
            )
            made.append(KubernetesObject(name_of(name, manifest), _unawaited(manifest), opts))
        return manifests[-1]

    def _context(self, args: TrainingJobArgs) -> JobContext:
        return JobContext(
            colony=args.colony,
            cluster=args.cluster,
            cloud=args.cloud,
            region=args.region,
            zone=args.zone,
            # No layer makes the devices yet: they are asked for only where the job says so.
            instance_type=args.instance_type if args.job.rdma else "",
            namespace=args.namespace,
            owner=args.owner,
            node_selector=args.node_selector,
            tolerations=[dict(each) for each in args.tolerations],
            service_account=args.service_account if _moves_data(args.job) else None,
            pod_labels=args.pod_labels if _moves_data(args.job) else {},
            code_secret=_code_name(args.job) if args.code else None,
            code_sha256=args.code.sha256 if args.code else None,
            env_secret=_env_name(args.job) if args.job.secrets else None,
        )

    def _code(self, name: str, args: TrainingJobArgs) -> list[pulumi.Resource]:
        if args.code is None:
            return []
        data = pulumi.Output.secret(args.code.data).apply(lambda text: {CODE_FILE: text})
        metadata = {"name": _code_name(args.job), "namespace": args.namespace}
        return [
            kubernetes.core.v1.Secret(
                f"{name}-code", metadata=metadata, data=data, opts=self._inside([])
            )
        ]

    def _environment(self, name: str, args: TrainingJobArgs) -> list[pulumi.Resource]:
        names = sorted(args.job.secrets)
        if not names:
            return []
        values = pulumi.Output.secret(args.secrets).apply(
            lambda given: {key: _value(args.job, key, given or {}) for key in names}
        )
        metadata = {"name": _env_name(args.job), "namespace": args.namespace}
        return [
            kubernetes.core.v1.Secret(
                f"{name}-env", metadata=metadata, string_data=values, opts=self._inside([])
            )
        ]

    def _inside(self, after: list[pulumi.Resource]) -> pulumi.ResourceOptions:
        """The engine would hand `deleted_with` down; saying it makes it visible in a recording."""
        return pulumi.ResourceOptions(
            parent=self,
            provider=self.get_provider("kubernetes:index:any"),
            deleted_with=self._opts.deleted_with,
            depends_on=[*_waits_for(self._opts), *after],
        )


def _moves_data(job: Job) -> bool:
    """From or to buckets, which takes an identity of the cloud."""
    return bool(job.inputs or job.outputs)


def _at_once(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions | None:
    """What the job needs, its objects need: the engine gives up on the whole program where a
    component was skipped, and not where an object was."""
    if opts is None:
        return opts
    own = copy.copy(opts)
    own.depends_on = own.deleted_with = None
    return own


def _waits_for(opts: pulumi.ResourceOptions) -> list[Any]:
    return list(opts.depends_on) if isinstance(opts.depends_on, (list, tuple)) else []


def _unawaited(manifest: dict[str, Any]) -> dict[str, Any]:
    """Pulumi would wait for the end of a Job, and for the pods of a Service, which come after it.

    A Job that is there is enough; its deletion is still awaited, which `skipAwait` would forgo.
    """
    key = (manifest["apiVersion"], manifest["kind"])
    if key not in _AWAITED:
        return manifest
    name, value = _AWAITED[key]
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), f"pulumi.com/{name}": value}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def public(job: Job) -> dict[str, Any]:
    """The job without the values of its secrets."""
    dump = job.model_dump(mode="json")
    return {**dump, "secrets": dict.fromkeys(dump["secrets"], "")}


def _value(job: Job, key: str, given: dict[str, str]) -> str:
    value = given.get(key) or job.secrets[key]
    if not value:
        raise pulumi.RunError(f"jobs.{job.name}.secrets.{key}: no value was given")
    return value


def _code_name(job: Job) -> str:
    return f"{job.name}-code"


def _env_name(job: Job) -> str:
    return f"{job.name}-env"
