"""Records what a Pulumi program registers, options included."""

import asyncio
import base64
from dataclasses import dataclass

import pulumi
from google.protobuf import json_format
from pulumi.runtime import mocks

LEASE = {
    "colony": "demo",
    "stack": "demo",
    "owner": "ada",
    "created": 1767225600,
    "expires": 1767232800,
    "end": "colony down demo",
}
SYSTEM = {
    "name": "system",
    "instance_type": "m7i.large",
    "nodes": 2,
    "cpus": 2,
    "memory_gib": 8,
    "price_per_node_hour": 0.1,
}
GPUS = {
    "name": "h100",
    "instance_type": "p5.48xlarge",
    "accelerator": "H100",
    "accelerator_count": 8,
    "nodes": 2,
    "cpus": 192,
    "memory_gib": 2048,
    "zone": "us-east-1b",
    "price_per_node_hour": 55.0,
}
JOB = {
    "name": "train",
    "run": "torchrun train.py",
    "nodes": 2,
    "resources": {"accelerators": "H100:8"},
    "queue": "user-queue",
    "priority": "low-priority",
}


def colony_args(
    cloud="aws", pools=(SYSTEM, GPUS), jobs=(JOB,), code=True, region="us-east-1", **more
):
    cluster = {"name": "main", "cloud": cloud, "region": region, "pools": list(pools)}
    if cloud == "existing":
        cluster |= {"region": "", "context": "lab"}
    names = [job["name"] for job in jobs]
    archives = {name: {"sha256": "ab" * 32, "data": "Y29kZQ=="} for name in names}
    return {
        "spec": {"name": "demo", "jobs": list(jobs), **more.pop("spec", {})},
        "placement": {"clusters": [cluster], "jobs": dict.fromkeys(names, "main")},
        "lease": LEASE,
        "code": archives if code else {},
    } | more


KUBECONFIG = """
clusters:
- {name: c, cluster: {server: "https://aks.example", certificate-authority-data: Y2E=}}
users:
- {name: u, user: {token: hunter2-token}}
"""
INVOKED = {
    "azure-native:authorization:getClientConfig": {
        "clientId": "pipeline", "objectId": "me", "subscriptionId": "sub", "tenantId": "tenant",
    },
    "azure-native:containerservice:listManagedClusterUserCredentials": {
        "kubeconfigs": [{"name": "u", "value": base64.b64encode(KUBECONFIG.encode()).decode()}],
    },
}  # fmt: skip
"""Questions without which an AKS cluster cannot be used."""


class Cloud(mocks.Mocks):
    """Answers with the inputs and the few outputs that a program reads."""

    def new_resource(self, args):
        outputs = dict(args.inputs)
        if args.typ == "aws:eks/cluster:Cluster":
            outputs |= {
                "name": f"{args.name}-1234567",
                "arn": f"arn:aws:eks:us-east-1:1:cluster/{args.name}",
                "endpoint": "https://eks.example",
                "certificateAuthority": {"data": "Y2E="},
                "vpcConfig": {**args.inputs["vpcConfig"], "clusterSecurityGroupId": "sg-eks"},
            }
        if args.typ == "aws:iam/role:Role":
            outputs |= {"arn": f"arn:aws:iam::1:role/{args.name}", "name": f"{args.name}-1234567"}
        if args.typ == "aws:ec2/placementGroup:PlacementGroup":
            outputs["name"] = f"{args.name}-1234567"
        if args.typ == "azure-native:containerservice:ManagedCluster":
            issuer = f"https://oidc.example/{args.name}"
            outputs |= {
                "name": f"{args.name}-1234567",
                "oidcIssuerProfile": {"enabled": True, "issuerURL": issuer},
            }
        if args.typ == "azure-native:managedidentity:UserAssignedIdentity":
            outputs |= {
                "name": args.name, "clientId": f"{args.name}-client",
                "principalId": f"{args.name}-principal",
            }  # fmt: skip
        if args.typ == "azure-native:resources:ResourceGroup":
            outputs["name"] = f"{args.name}-1234567"
        if args.typ == "aws:ec2/launchTemplate:LaunchTemplate":
            outputs["latestVersion"] = 1
        if args.typ == "command:remote:Command":
            outputs["stdout"] = "colony-token: abc\napiVersion: v1\nkind: Config\n"
        if args.typ == "gcp:container/cluster:Cluster":
            outputs |= {
                "name": f"{args.name}-1234567",
                "selfLink": f"https://container.googleapis.com/v1/projects/p/{args.name}",
                "endpoint": "203.0.113.9",
                "masterVersion": "1.35",
                "masterAuth": {**outputs["masterAuth"], "clusterCaCertificate": "Y2E="},
            }
        if args.typ == "gcp:serviceaccount/account:Account":
            email = f"{args.name}@p.iam.gserviceaccount.com"
            outputs |= {"name": email, "email": email, "member": f"serviceAccount:{email}"}
        if args.typ.startswith("gcp:compute/"):
            outputs |= {"name": args.name, "project": "p"}
        return f"{args.name}-id", outputs

    def call(self, args):
        if args.token in INVOKED:
            return INVOKED[args.token]
        raise AssertionError(f"the program must not invoke {args.token}")


class Recorder(mocks.MockMonitor):
    """Keeps raw registrations: options cannot be seen by plain mocks."""

    def __init__(self):
        super().__init__(Cloud())
        self.requests = []
        self.outputs = {}

    def RegisterResource(self, request):
        # only the first recording of a process has it: the SDK keeps its root
        if request.type != "pulumi:pulumi:Stack":
            self.requests.append(request)
        return self._with_loop(super().RegisterResource, request)

    def Invoke(self, request):
        return self._with_loop(super().Invoke, request)

    def _with_loop(self, answer, request):
        """The SDK would make a loop for this worker thread, and leave it open."""
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            return answer(request)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def RegisterResourceOutputs(self, request):
        self.outputs[request.urn] = json_format.MessageToDict(request.outputs)
        return super().RegisterResourceOutputs(request)


@dataclass
class Recording:
    requests: list
    outputs: dict

    def of(self, type_):
        return [r for r in self.requests if r.type == type_]

    def one(self, type_, name=""):
        (found,) = [r for r in self.of(type_) if name in r.name]
        return found

    def custom(self):
        return [r for r in self.requests if r.custom and not is_provider(r)]

    def in_cluster(self):
        return [r for r in self.custom() if r.type.startswith("kubernetes:")]


def is_provider(request):
    return request.type.startswith("pulumi:providers:")


def inputs(request):
    return json_format.MessageToDict(request.object)


def urn(request):
    """As the engine would make it: the stack is left out of the type chain."""
    parents = request.parent.split("::")[2].split("$") if request.parent else []
    chain = [part for part in parents if part != "pulumi:pulumi:Stack"]
    return f"{'$'.join([*chain, request.type])}::{request.name}"


def record_program(program, stack="demo"):
    monitor = Recorder()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        mocks.set_mocks(monitor.mocks, "colony", stack, preview=False, monitor=monitor)
        pulumi.runtime.test(program)()
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        asyncio.set_event_loop(None)
        loop.close()
    return Recording(sorted(monitor.requests, key=lambda r: (r.type, r.name)), monitor.outputs)
