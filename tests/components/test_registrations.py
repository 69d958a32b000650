import json
from pathlib import Path

import pytest
from recording import (
    GPUS,
    JOB,
    LEASE,
    SYSTEM,
    colony_args,
    inputs,
    is_provider,
    record_program,
    urn,
)

from jobs.errors import InputError, NotSupported

GOLDEN = Path(__file__).with_name("golden")
SECRET = "1b47061264138c4ac30d75fd1eb44270"
SIGNATURE = "4dabf18193072939515e22adb298388d"
CANARY = "hunter2-canary"
WITHOUT_TAGS = {
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/rolePolicy:RolePolicy",
}
TRAIN_WITH_OUTPUTS = {**JOB, "outputs": [{"path": "out", "to": "s3://bucket/runs/1"}]}


def without_secrets(value):
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return "[secret]"
        return {key: without_secrets(item) for key, item in value.items()}
    return [without_secrets(item) for item in value] if isinstance(value, list) else value


def test_everything_in_our_cluster_goes_with_the_cluster(record):
    recording = record(jobs=[TRAIN_WITH_OUTPUTS])
    cluster = "colony:index:EksCluster$aws:eks/cluster:Cluster::demo-main-eks"
    assert len(recording.in_cluster()) >= 10
    for request in recording.in_cluster():
        assert request.deletedWith.endswith(cluster), request.name


def test_nothing_in_the_users_cluster_goes_with_anything(record):
    recording = record(cloud="existing")
    assert len(recording.in_cluster()) >= 10
    assert [r.name for r in recording.requests if r.deletedWith] == []
    assert [r.name for r in recording.requests if r.type.startswith("aws:")] == []


def test_namespaces_made_in_the_users_cluster_are_taken_away_again(record):
    recording = record(cloud="existing")
    made = {inputs(r)["metadata"]["name"] for r in recording.of("kubernetes:core/v1:Namespace")}
    releases = [inputs(r) for r in recording.of("kubernetes:helm.sh/v3:Release")]
    assert made == {release["namespace"] for release in releases}
    assert not any(release["createNamespace"] for release in releases)


@pytest.mark.parametrize("cloud", ["aws", "existing"])
def test_no_resource_falls_back_on_a_default_provider(record, cloud):
    for request in record(cloud=cloud).custom():
        assert "::pulumi:providers:" in request.provider or "$pulumi:providers:" in request.provider
        assert "default" not in request.provider.split("::")[-2], request.name


def test_the_kubernetes_provider_has_the_clusters_identity_and_no_token(record):
    provider = record().one("pulumi:providers:kubernetes")
    given = inputs(provider)
    assert given["clusterIdentifier"] == "arn:aws:eks:us-east-1:1:cluster/demo-main-eks"
    assert given["kubeconfig"][SIGNATURE] == SECRET
    user = json.loads(given["kubeconfig"]["value"])["users"][0]["user"]
    assert set(user) == {"exec"}
    assert user["exec"]["command"] == "aws"


def test_the_users_kubeconfig_is_used_with_its_context_only(record):
    args = {"kubeconfigs": {"main": CANARY}}
    given = inputs(record(cloud="existing", **args).one("pulumi:providers:kubernetes"))
    assert given["context"] == "lab"
    assert given["kubeconfig"] == {SIGNATURE: SECRET, "value": CANARY}
    assert given["clusterIdentifier"] == "existing/lab"


def test_lease_tags_are_on_everything_that_takes_tags(record):
    recording = record(jobs=[TRAIN_WITH_OUTPUTS])
    lease = {"colony": "demo", "colony-expires": str(LEASE["expires"]), "colony-owner": "ada"}
    tagged = [r for r in recording.custom() if r.type.startswith("aws:")]
    for request in tagged:
        if request.type not in WITHOUT_TAGS:
            assert lease.items() <= inputs(request)["tags"].items(), request.name
    defaults = json.loads(inputs(recording.one("pulumi:providers:aws"))["defaultTags"])
    assert lease.items() <= defaults["tags"].items()


def test_node_groups_hand_the_lease_on_to_what_they_launch(record):
    templates = record().of("aws:ec2/launchTemplate:LaunchTemplate")
    assert len(templates) == 2
    for template in map(inputs, templates):
        check_template(template)


def check_template(template):
    kinds = {spec["resourceType"]: spec["tags"] for spec in template["tagSpecifications"]}
    assert set(kinds) == {"instance", "volume", "network-interface"}
    assert all(tags["colony-stack"] == "demo" for tags in kinds.values())
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"


def test_secrets_reach_the_engine_as_secrets_only(record):
    job = {**JOB, "secrets": {"TOKEN": CANARY}}
    recording = record(jobs=[job], kubeconfigs={"main": CANARY})
    secret = recording.one("kubernetes:core/v1:Secret", "env")
    assert inputs(secret)["stringData"] == {SIGNATURE: SECRET, "value": {"TOKEN": CANARY}}
    sent = [inputs(r) for r in recording.requests] + list(recording.outputs.values())
    assert CANARY not in json.dumps(without_secrets(sent))


def test_values_of_the_config_win_over_those_of_the_file(record):
    job = {**JOB, "secrets": {"TOKEN": "from-file"}}
    recording = record(jobs=[job], secrets={"train": {"TOKEN": CANARY, "OTHER": "x"}})
    secret = inputs(recording.one("kubernetes:core/v1:Secret", "env"))
    assert secret["stringData"]["value"] == {"TOKEN": CANARY}


def test_code_and_kubeconfigs_are_secret(record):
    recording = record()
    code = inputs(recording.one("kubernetes:core/v1:Secret", "code"))
    assert code["data"] == {SIGNATURE: SECRET, "value": {"code.tar.gz": "Y29kZQ=="}}
    (colony,) = [value for key, value in recording.outputs.items() if "Colony::" in key]
    assert colony["kubeconfigs"][SIGNATURE] == SECRET


def test_urns_are_stable(record):
    found = sorted(urn(request) for request in record(jobs=[TRAIN_WITH_OUTPUTS]).requests)
    assert found == (GOLDEN / "eks-urns.txt").read_text(encoding="utf-8").splitlines()


def test_two_runs_register_the_same():
    from components.colony import Colony

    def told(recording):
        return [
            (urn(r), inputs(r), sorted(r.dependencies), r.provider, r.deletedWith)
            for r in recording.requests
        ]

    args = colony_args()
    first, second = (record_program(lambda: Colony("demo", args)) for _ in range(2))
    assert told(first) == told(second)


def test_a_cluster_is_few_resources(record):
    plain = {key: value for key, value in JOB.items() if key not in ("queue", "priority")}
    counts = [
        len([r for r in record(jobs=[job]).requests if r.type != "colony:index:Colony"])
        for job in (plain, JOB)
    ]
    assert counts[0] <= 46
    assert counts[1] <= 48
    empty = [r for r in record(jobs=[]).requests if r.type != "colony:index:Colony"]
    assert len(empty) <= 42


def test_an_extended_lease_leaves_nodes_and_jobs_alone(record):
    later = {"lease": {**LEASE, "expires": LEASE["expires"] + 7200}}
    before, after = record(), record(**later)
    assert inputs(before.one("aws:eks/cluster:Cluster")) != inputs(
        after.one("aws:eks/cluster:Cluster")
    )
    for kind in ("kubernetes:jobset.x-k8s.io/v1alpha2:JobSet", "kubernetes:core/v1:ConfigMap"):
        assert inputs(before.one(kind)) == inputs(after.one(kind))
    for group in after.of("aws:eks/nodeGroup:NodeGroup"):
        assert list(group.ignoreChanges) == ["launchTemplate"]


def test_only_a_changed_job_is_replaced(record):
    kind = "kubernetes:jobset.x-k8s.io/v1alpha2:JobSet"
    other = {**JOB, "name": "other"}
    before, after = record(), record(jobs=[{**JOB, "run": "torchrun better.py"}])
    assert inputs(before.one(kind)) != inputs(after.one(kind))
    assert inputs(before.one(kind)) == inputs(record(jobs=[JOB, other]).one(kind, "jobset-train"))
    request = before.one(kind)
    assert list(request.replaceOnChanges) == ["metadata.annotations"]
    assert request.deleteBeforeReplace


@pytest.mark.parametrize("change", [{"run": "better"}, {"queue": "other"}, {"nodes": 3}])
def test_what_replaces_a_job_is_seen_in_the_annotations_of_all_its_objects(record, change):
    kinds = ("jobset.x-k8s.io/v1alpha2:JobSet", "core/v1:ConfigMap", "core/v1:Service")
    before, after = record(), record(jobs=[{**JOB, **change}])
    for kind in kinds:
        first, second = (inputs(each.one(f"kubernetes:{kind}")) for each in (before, after))
        assert first["metadata"]["annotations"] != second["metadata"]["annotations"]


def test_a_suspended_job_is_resumed_in_place(record):
    kind = "kubernetes:jobset.x-k8s.io/v1alpha2:JobSet"
    plain = {key: value for key, value in JOB.items() if key not in ("queue", "priority")}
    held, free = (
        inputs(record(jobs=[{**plain, "suspend": value}]).one(kind)) for value in (True, False)
    )
    assert (held["spec"]["suspend"], free["spec"]["suspend"]) == (True, False)
    assert held["metadata"] == free["metadata"]


def test_plain_jobs_and_services_are_not_waited_for(record):
    """Pulumi would wait for the end of a Job, and a Service's pods come after the Service."""
    plain = {key: value for key, value in JOB.items() if key not in ("queue", "priority")}
    recording = record(jobs=[{**plain, "backend": "job"}])
    (job,) = recording.of("kubernetes:batch/v1:Job")
    notes = inputs(job)["metadata"]["annotations"]
    assert notes["pulumi.com/waitFor"] == "jsonpath={.metadata.uid}"
    assert "pulumi.com/skipAwait" not in notes
    for service in recording.of("kubernetes:core/v1:Service"):
        assert inputs(service)["metadata"]["annotations"]["pulumi.com/skipAwait"] == "true"


def test_deletes_are_ordered_by_what_needs_what(record):
    recording = record()
    attachments = {
        f"demo-main-node-{policy}"
        for policy in (
            "AmazonEKSWorkerNodePolicy",
            "AmazonEKS_CNI_Policy",
            "AmazonEC2ContainerRegistryPullOnly",
        )
    }
    for group in recording.of("aws:eks/nodeGroup:NodeGroup"):
        after = {dependency.split("::")[-1] for dependency in group.dependencies}
        assert attachments | {"demo-main-eks", "demo-main-vpc-cni"} <= after
        assert "demo-main-private-us-east-1b" in after
        used = group.propertyDependencies["clusterName"].urns
        assert [dependency.split("::")[-1] for dependency in used] == ["demo-main-eks"]
    for request in recording.in_cluster():
        names = {dependency.split("::")[-1] for dependency in request.dependencies}
        assert {"demo-main-system", "demo-main-coredns"} <= names, request.name


def test_nodes_with_accelerators_are_bought_last_and_wait_for_no_layer(record):
    """What can be up without them goes in while they are made."""
    recording = record()
    groups = {group.name: needed(group) for group in recording.of("aws:eks/nodeGroup:NodeGroup")}
    assert "demo-main-system" in groups["demo-main-h100"]
    assert "demo-main-h100" not in groups["demo-main-system"]
    waiting = {
        release.name
        for release in recording.of("kubernetes:helm.sh/v3:Release")
        if "demo-main-h100" in needed(release)
    }
    serving = {"demo-main-gpu-operator", "demo-main-aws-efa-k8s-device-plugin"}
    assert waiting == serving
    jobset = recording.one("kubernetes:jobset.x-k8s.io/v1alpha2:JobSet")
    assert {"demo-main-h100", "demo-main-gpu-operator", "demo-main-jobset"} <= needed(jobset)


def needed(request):
    return {dependency.split("::")[-1] for dependency in request.dependencies}


def test_what_can_be_skipped_holds_nothing_but_objects_back(record):
    """The engine gives up on the whole program where a provider or a component was skipped."""
    recording = record()
    held = {"demo-main-h100", "demo-main-system"}
    for request in recording.requests:
        if is_provider(request) or not request.custom:
            names = {dependency.split("::")[-1] for dependency in request.dependencies}
            assert not names & held, request.name


def test_the_job_comes_after_layers_and_queues(record):
    recording = record()
    queue = recording.one("kubernetes:kueue.x-k8s.io/v1beta2:LocalQueue")
    assert any(d.endswith("Release::demo-main-kueue") for d in queue.dependencies)
    jobset = recording.one("kubernetes:jobset.x-k8s.io/v1alpha2:JobSet")
    assert any(
        d.endswith("ConfigMap::demo-train-configmap-train-scripts") for d in jobset.dependencies
    )


def test_waits_have_deadlines(record):
    recording = record()
    slow = ("aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup", "aws:eks/addon:Addon")
    for request in [r for kind in slow for r in recording.of(kind)]:
        assert request.customTimeouts.create
        assert request.customTimeouts.delete
    for release in recording.of("kubernetes:helm.sh/v3:Release"):
        given = inputs(release)
        assert given["atomic"] and given["cleanupOnFail"] and given["version"]
        assert int(release.customTimeouts.create.rstrip("s")) > given["timeout"] > 0


def test_nothing_stands_in_the_way_of_a_plain_destroy(record):
    for request in record().requests:
        assert not request.protect
        assert not request.retainOnDelete
        hooks = request.hooks
        assert not (hooks.before_delete or hooks.after_delete), request.name


def test_gpu_pools_are_tainted_labelled_and_in_their_zone(record):
    recording = record()
    gpu = inputs(recording.one("aws:eks/nodeGroup:NodeGroup", "h100"))
    assert gpu["amiType"] == "AL2023_x86_64_NVIDIA"
    assert gpu["capacityType"] == "ON_DEMAND"
    assert gpu["taints"] == [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}]
    assert gpu["labels"]["colony.dev/accelerator"] == "H100"
    assert gpu["subnetIds"] == ["demo-main-private-us-east-1b-id"]
    assert gpu["scalingConfig"] == {"minSize": 2, "desiredSize": 2, "maxSize": 2}
    system = inputs(recording.one("aws:eks/nodeGroup:NodeGroup", "system"))
    assert system["amiType"] == "AL2023_x86_64_STANDARD"
    assert not system.get("taints")
    assert len(system["subnetIds"]) == 2


def test_pods_select_the_nodes_that_were_bought_for_them(record):
    spec = inputs(record().one("kubernetes:jobset.x-k8s.io/v1alpha2:JobSet"))["spec"]
    pod = spec["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"colony.dev/accelerator": "H100"}


def test_pods_with_outputs_get_an_identity_of_their_own_and_others_none(record):
    recording = record(jobs=[TRAIN_WITH_OUTPUTS])
    link = inputs(recording.one("aws:eks/podIdentityAssociation:PodIdentityAssociation"))
    account = inputs(recording.one("kubernetes:core/v1:ServiceAccount"))["metadata"]
    assert (link["serviceAccount"], link["namespace"]) == (account["name"], account["namespace"])
    policy = json.loads(inputs(recording.one("aws:iam/rolePolicy:RolePolicy"))["policy"])
    assert policy["Statement"][1]["Resource"] == [
        "arn:aws:s3:::bucket/runs/1",
        "arn:aws:s3:::bucket/runs/1/*",
    ]
    assert record().of("aws:eks/podIdentityAssociation:PodIdentityAssociation") == []


def test_pods_with_inputs_may_read_those_and_write_nothing(record):
    job = {**JOB, "inputs": [{"path": "/data", "source": "s3://corpus/v1"}]}
    recording = record(jobs=[job])
    policy = json.loads(inputs(recording.one("aws:iam/rolePolicy:RolePolicy"))["policy"])
    listing, reading = policy["Statement"]
    assert listing["Resource"] == ["arn:aws:s3:::corpus"]
    assert (reading["Action"], reading["Resource"][0]) == (
        ["s3:GetObject"], "arn:aws:s3:::corpus/v1",
    )  # fmt: skip
    recording.one("aws:eks/podIdentityAssociation:PodIdentityAssociation")


def test_a_colony_without_gpus_gets_no_gpu_operator(record):
    job = {"name": "train", "run": "true"}
    names = [r.name for r in record(pools=[SYSTEM], jobs=[job]).requests]
    assert "demo-main-kueue" in names
    assert "demo-main-gpu-operator" not in names


def test_layers_follow_the_users_choices(record):
    layers = {
        "gpu-operator": {"enabled": False},
        "jobset": {"version": "0.11.0", "values": {"controller": {"replicas": 2}}},
    }
    recording = record(spec={"layers": layers})
    names = [r.name for r in recording.of("kubernetes:helm.sh/v3:Release")]
    assert names == [f"demo-main-{n}" for n in ("aws-efa-k8s-device-plugin", "jobset", "kueue")]
    jobset = inputs(recording.one("kubernetes:helm.sh/v3:Release", "jobset"))
    assert jobset["version"] == "0.11.0"
    assert jobset["values"]["controller"] == {"replicas": 2}
    assert jobset["values"]["certManager"] == {"enable": False}


REFUSED = {
    "what the kind lacks": (
        {"pools": [SYSTEM, {**GPUS, "min_nodes": 0}]},
        NotSupported,
        "h100.min_nodes",
    ),
    "another maker's chip": (
        {"pools": [{**GPUS, "instance_type": "trn1.32xlarge"}]},
        NotSupported,
        "trn1",
    ),
    "a cloud that is not built": ({"cloud": "moon"}, NotSupported, "moon"),
    "no pools": ({"pools": []}, InputError, "pool"),
    "an unknown layer": ({"spec": {"layers": {"kueu": {}}}}, InputError, "kueue"),
    "a layer off that a job needs": (
        {"spec": {"layers": {"kueue": {"enabled": False}}}},
        InputError,
        "user-queue",
    ),
    "a job on no cluster": (
        {"placement": {"clusters": [], "jobs": {"train": "main"}}},
        InputError,
        "placement.jobs.train",
    ),
    "an unknown argument": ({"colour": "red"}, InputError, "colour"),
    "more GPUs shared out than bought": (
        {"spec": {"queues": [{"project": "user-queue", "gpus": 17}]}},
        InputError,
        "17 GPUs of 16",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_built_is_refused_before_the_first_registration(case):
    from components.colony import Colony

    changes, error, words = REFUSED[case]
    args = colony_args(**changes)
    seen = []

    def program():
        with pytest.raises(error, match=words):
            Colony("demo", args)
        seen.append(True)

    recording = record_program(program)
    assert seen
    assert recording.requests == []


def test_clusters_do_not_share_what_can_fail(record):
    clusters = [
        {"name": name, "cloud": "aws", "region": region, "pools": [SYSTEM]}
        for name, region in (("one", "us-east-1"), ("two", "eu-west-1"))
    ]
    jobs = [{"name": "a", "run": "true"}, {"name": "b", "run": "true"}]
    where = {"clusters": clusters, "jobs": {"a": "one", "b": "two"}}
    recording = record(jobs=jobs, placement=where)
    for request in recording.custom():
        other = "demo-two" if "demo-one" in request.name else "demo-one"
        if request.name.startswith("demo-one") or request.name.startswith("demo-two"):
            assert not any(other in dependency for dependency in request.dependencies)
    assert len([r for r in recording.requests if is_provider(r)]) == 4


LIMITS = {
    "aws:iam/role:Role": 64,
    "aws:eks/nodeGroup:NodeGroup": 63,
    "aws:eks/cluster:Cluster": 100,
}
SUFFIX = "-1234567"


def test_rights_of_one_name_in_several_namespaces_are_registered_once_each(record):
    jobs = [JOB, {"name": "other", "run": "true"}]
    shares = {"idle": {"delete": "2h"}, "queues": [{"project": "user-queue", "gpus": 0}]}
    recording = record(cloud="existing", jobs=jobs, spec=shares)
    roles = recording.of("kubernetes:rbac.authorization.k8s.io/v1:Role")
    spaces = [inputs(role)["metadata"]["namespace"] for role in roles if "idle" in role.name]
    assert sorted(spaces) == ["default", "user-queue"]
    assert len({urn(request) for request in recording.requests}) == len(recording.requests)


def test_long_names_leave_room_for_the_engines_suffix():
    from components.colony import Colony

    long = "c" * 40
    pool = {**SYSTEM, "name": "p" * 30}
    args = colony_args(pools=[pool], jobs=[{"name": "a", "run": "true"}])
    recording = record_program(lambda: Colony(long, args))
    for kind, limit in LIMITS.items():
        for request in recording.of(kind):
            assert len(request.name + SUFFIX) <= limit
