"""The pure parts: tags, zones, images, quotas, the choice of layers."""

import re
from ipaddress import ip_network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording import GPUS, JOB, LEASE, SYSTEM

from components.clusters import base
from components.clusters.aws import data
from components.clusters.azure import data as aks
from components.clusters.gcp import data as gke
from components.clusters.nodes import in_turn
from components.kubeconfig import exec_kubeconfig
from components.layer_choice import check_layers, chosen_layers, early_layers
from components.layer_spec import LayerChoice
from components.lease import Lease
from components.placement import ClusterPlacement, PoolPlacement
from components.quota import check_queues, namespace_of, queue_objects
from components.spec import ColonySpec
from components.tags import lease_tags, short_name
from components.volcano_queues import volcano_objects
from jobs.errors import InputError, NotSupported
from jobs.spec import Job

ALLOWED = re.compile(r"[A-Za-z0-9 +\-=._:/@]*")


def cluster(*pools, cloud="aws", region="us-east-1", zones=()):
    return ClusterPlacement(
        name="main", cloud=cloud, region=region, zones=list(zones), pools=list(pools)
    )


def spec(*jobs, **more):
    return ColonySpec(name="demo", jobs=list(jobs), **more)


@given(st.text(max_size=300), st.text(max_size=300))
def test_aws_takes_every_tag(owner, end):
    lease = Lease(**{**LEASE, "owner": owner, "end": end})
    for key, value in lease_tags(lease, "aws").items():
        assert ALLOWED.fullmatch(key) and ALLOWED.fullmatch(value)
        assert len(key) <= 128 and len(value) <= 256


def test_tags_that_are_allowed_are_kept_as_they_are():
    tags = lease_tags(Lease(**LEASE, budget_usd=12.5), "aws")
    assert tags["colony-end"] == "colony down demo"
    assert tags["colony-budget-usd"] == "12.5"


def test_tags_for_an_unknown_cloud_are_refused():
    with pytest.raises(NotSupported):
        lease_tags(Lease(**LEASE), "moon")


@given(st.text(alphabet="abc-", min_size=1, max_size=90), st.integers(20, 60))
def test_short_names_fit_and_stay_apart(name, limit):
    found = short_name(name, limit=limit)
    assert len(found) <= limit
    assert found == name or short_name(name + "x", limit=limit) != found


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (cluster(PoolPlacement(**SYSTEM)), ["us-east-1a", "us-east-1b"]),
        (cluster(PoolPlacement(**GPUS)), ["us-east-1b", "us-east-1a"]),
        (cluster(zones=["us-east-1f"]), ["us-east-1f", "us-east-1a"]),
        (cluster(region="ca-central-1"), ["ca-central-1a", "ca-central-1b"]),
        (cluster(region="ap-northeast-1"), ["ap-northeast-1c", "ap-northeast-1d"]),
        (
            cluster(PoolPlacement(**GPUS), zones=["us-east-1c", "us-east-1d"]),
            ["us-east-1c", "us-east-1d", "us-east-1b"],
        ),
    ],
)
def test_zones_come_from_the_placement_first(place, expected):
    assert data.zones_of(place) == expected


def in_zone(zone, base=GPUS):
    return PoolPlacement(**{**base, "zone": zone and f"us-east-1{zone}"})


def spanning(*pools, spans="ab", zones=""):
    allowed = [f"us-east-1{letter}" for letter in zones]
    there = [f"us-east-1{letter}" for letter in spans]
    return cluster(*pools, zones=allowed).model_copy(update={"spans": there})


@pytest.mark.parametrize(
    ("place", "zones", "pools"),
    [
        pytest.param(spanning(in_zone("c")), "abc", ["c"], id="a pool in a new zone"),
        pytest.param(spanning(in_zone("d"), spans="abc"), "abcd", ["d"], id="and in the next"),
        pytest.param(spanning(in_zone("a"), spans="abc"), "abc", ["a"], id="and back"),
        pytest.param(spanning(in_zone(None)), "ab", ["ab"], id="wherever it likes"),
        pytest.param(spanning(in_zone(None), zones="bc"), "abc", ["bc"], id="where the file says"),
        pytest.param(
            spanning(in_zone(None, SYSTEM), spans="cab", zones="d"), "cabd", ["ca"],
            id="no accelerators",
        ),
    ],
)  # fmt: skip
def test_what_has_no_accelerators_stays_where_the_cluster_was_made(place, zones, pools):
    def letters(found):
        return "".join(zone[-1] for zone in found)

    assert letters(data.zones_of(place)) == zones
    assert data.own_zones(place) == place.spans[:2]
    assert [letters(data.zones_for(pool, place)) for pool in place.pools] == pools


def test_no_two_subnets_of_a_network_have_an_address_in_common():
    network = data.eks()["network"]
    rooms = [ip_network(room) for room in (*network["public"], *network["private"])]
    assert all(room.subnet_of(ip_network(network["vpc"])) for room in rooms)
    assert not any(one.overlaps(other) for one, other in combinations(rooms, 2))
    assert len(network["public"]) == network["least_zones"]


@pytest.mark.parametrize("spans", [None, [], ["eastus-1"]])
def test_on_azure_a_pool_without_accelerators_stays_where_it_was_made(spans):
    place = cluster(cloud="azure", region="eastus", zones=["eastus-2"])
    place = place.model_copy(update={"spans": spans})
    system, gpus = PoolPlacement(**SYSTEM), PoolPlacement(**{**GPUS, "zone": None})
    stays = ["2"] if spans is None else [zone[-1] for zone in spans]
    assert aks.zones_of(system, place) == stays
    assert aks.zones_of(gpus, place) == ["2"]


def test_on_gke_a_pool_without_accelerators_stays_where_it_was_made():
    place = cluster(cloud="gcp", region="us-central1", zones=["us-central1-b", "us-central1-c"])
    moved = place.model_copy(update={"spans": ["us-central1-f"]})
    system, gpus = PoolPlacement(**SYSTEM), PoolPlacement(**{**GPUS, "zone": None})
    pinned = gpus.model_copy(update={"zone": "us-central1-c"})
    assert [gke.zone_of(pool, place)[-1] for pool in (system, gpus, pinned)] == ["b", "b", "c"]
    assert [gke.zone_of(pool, moved)[-1] for pool in (system, gpus, pinned)] == ["f", "b", "c"]
    back = moved.model_copy(update={"zones": ["us-central1-b", "us-central1-f"]})
    assert gke.zone_of(gpus, back)[-1] == "f", "the file allows it"


def test_the_zones_of_another_region_say_nothing():
    """Of a stack config whose region was changed by hand."""
    west = spanning(in_zone(None)).model_copy(update={"region": "us-west-2"})
    assert data.zones_of(west) == ["us-west-2a", "us-west-2b"]
    central = cluster(cloud="gcp", region="us-central1")
    assert gke.home_of(central.model_copy(update={"spans": ["us-east1-b"]})) == "us-central1-a"


@pytest.mark.parametrize(
    ("instance", "gpus", "image"),
    [
        ("m7i.large", 0, "AL2023_x86_64_STANDARD"),
        ("m7g.large", 0, "AL2023_ARM_64_STANDARD"),
        ("m6gd.large", 0, "AL2023_ARM_64_STANDARD"),
        ("g6.xlarge", 1, "AL2023_x86_64_NVIDIA"),
        ("g5g.xlarge", 1, "AL2023_ARM_64_NVIDIA"),
        ("p5en.48xlarge", 8, "AL2023_x86_64_NVIDIA"),
        ("p6-b200.48xlarge", 8, "AL2023_x86_64_NVIDIA"),
        ("p6e-gb200.36xlarge", 4, "AL2023_ARM_64_NVIDIA"),
    ],
)
def test_the_image_follows_the_instance_family(instance, gpus, image):
    pool = PoolPlacement(**{**SYSTEM, "instance_type": instance, "accelerator_count": gpus})
    assert data.image_of(pool) == image
    data.check(cluster(pool))


@pytest.mark.parametrize("instance", ["trn1.32xlarge", "inf2.48xlarge", "dl1.24xlarge", "g4ad.xl"])
def test_other_makers_accelerators_are_refused_by_name(instance):
    pool = PoolPlacement(**{**GPUS, "instance_type": instance})
    with pytest.raises(NotSupported, match=re.escape(instance)):
        data.check(cluster(pool))


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("us-east-1", "arn:aws:iam::aws:policy/X"),
        ("us-gov-west-1", "arn:aws-us-gov:iam::aws:policy/X"),
    ],
)
def test_policies_are_those_of_the_partition(region, arn):
    assert data.policy_arn(region, "X") == arn


def test_subnets_do_not_overlap_and_lie_in_the_vpc():
    from ipaddress import ip_network
    from itertools import combinations

    network = data.eks()["network"]
    subnets = [ip_network(cidr) for cidr in network["public"] + network["private"]]
    assert all(subnet.subnet_of(ip_network(network["vpc"])) for subnet in subnets)
    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))


def test_every_choice_of_the_eks_data_names_its_page():
    for section in ("kubernetes", "endpoint", "access", "network", "zones", "addons", "token"):
        assert data.eks()[section]["source"].startswith("https://"), section


def test_kinds_are_known_without_importing_them():
    assert {"aws", "azure", "existing", "gcp"} <= set(base.kinds())
    assert base.supported("azure") and not base.supported("moon")
    with pytest.raises(NotSupported, match="moon"):
        base.kind("moon", "clusters.0.cloud")


def test_a_kubeconfig_holds_a_command_and_no_token():
    text = str(exec_kubeconfig("c", "https://x", "Y2E=", "aws", ["eks"]))
    assert "'command': 'aws'" in text
    assert "'token'" not in text


QUEUED = Job(**JOB)
CPU_JOB = Job(name="prepare", run="true", queue="user-queue")
PLACE = cluster(PoolPlacement(**SYSTEM), PoolPlacement(**GPUS))


def quotas(objects):
    (queue,) = [item for item in objects if item["kind"] == "ClusterQueue"]
    (group,) = queue["spec"]["resourceGroups"]
    return {
        flavor["name"]: {item["name"]: item["nominalQuota"] for item in flavor["resources"]}
        for flavor in group["flavors"]
    }


def test_the_quota_is_what_was_bought():
    objects = queue_objects(spec(QUEUED), PLACE, [QUEUED], labelled=True)
    assert quotas(objects) == {"h100": {"cpu": 381, "memory": "4090Gi", "nvidia.com/gpu": 16}}
    assert [item["kind"] for item in objects] == [
        "ResourceFlavor",
        "ClusterQueue",
        "LocalQueue",
        "WorkloadPriorityClass",
    ]
    assert {item["apiVersion"] for item in objects} == {"kueue.x-k8s.io/v1beta2"}


def test_jobs_without_gpus_are_tried_on_cpu_nodes_first():
    objects = queue_objects(spec(QUEUED, CPU_JOB), PLACE, [QUEUED, CPU_JOB], labelled=True)
    assert list(quotas(objects)) == ["cpu", "h100"]
    assert quotas(objects)["cpu"] == {"cpu": 3, "memory": "12Gi", "nvidia.com/gpu": 0}


def test_without_a_queue_there_is_nothing_to_queue_in():
    job = Job(name="a", run="true")
    assert queue_objects(spec(job), PLACE, [job], labelled=True) == []


def test_every_covered_resource_has_a_quota_in_every_flavor():
    objects = queue_objects(spec(QUEUED, CPU_JOB), PLACE, [QUEUED, CPU_JOB], labelled=True)
    (queue,) = [item for item in objects if item["kind"] == "ClusterQueue"]
    (group,) = queue["spec"]["resourceGroups"]
    for flavor in group["flavors"]:
        assert [item["name"] for item in flavor["resources"]] == group["coveredResources"]


@pytest.mark.parametrize(
    ("priority", "value"), [("low-priority", 100), ("high-priority", 1000), ("mine", 500)]
)
def test_priorities_have_values(priority, value):
    job = Job(**{**JOB, "priority": priority})
    (found,) = [
        item
        for item in queue_objects(spec(job), PLACE, [job], labelled=True)
        if item["kind"] == "WorkloadPriorityClass"
    ]
    assert found["value"] == value
    assert found["metadata"] == {"name": priority}


def test_only_labelled_nodes_are_selected_by_label():
    objects = queue_objects(spec(QUEUED), PLACE, [QUEUED], labelled=False)
    assert "nodeLabels" not in objects[0]["spec"]
    assert base.node_selector(QUEUED, PLACE, labelled=False) == {}
    assert base.node_selector(QUEUED, PLACE, labelled=True) == {"colony.dev/accelerator": "H100"}
    assert base.node_selector(CPU_JOB, PLACE, labelled=True) == {}


PROJECTS = [
    {"project": "user-queue", "namespace": "team-a", "gpus": 8, "borrow": 8},
    {"project": "b", "gpus": 8},
]


def test_projects_share_what_was_bought():
    shared = spec(QUEUED, queues=PROJECTS)
    check_queues(shared, PLACE)
    objects = queue_objects(shared, PLACE, [QUEUED], labelled=True)
    queues = {i["metadata"]["name"]: i["spec"] for i in objects if i["kind"] == "ClusterQueue"}
    assert set(queues) == {"user-queue", "b"}
    assert {queue["cohortName"] for queue in queues.values()} == {"colony"}
    flavor = queues["user-queue"]["resourceGroups"][0]["flavors"][-1]
    assert flavor["resources"][-1] == {
        "name": "nvidia.com/gpu",
        "nominalQuota": 8,
        "borrowingLimit": 8,
    }
    assert namespace_of(QUEUED, shared) == "team-a"
    local = [i["metadata"] for i in objects if i["kind"] == "LocalQueue"]
    assert {"name": "user-queue", "namespace": "team-a"} in local


@given(
    st.integers(1, 40),
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=6),
)
def test_the_quotas_of_all_projects_and_the_cohort_are_what_was_bought(nodes, gpus, shares):
    pool = PoolPlacement(**{**GPUS, "nodes": nodes, "accelerator_count": gpus})
    place = cluster(PoolPlacement(**SYSTEM), pool)
    queues = [
        {"project": f"p{index}", "gpus": own, "borrow": more}
        for index, (own, more) in enumerate(shares)
    ]
    shared = spec(queues=queues)
    if sum(own for own, _ in shares) > nodes * gpus:
        with pytest.raises(InputError, match="GPUs of"):
            check_queues(shared, place)
        return
    objects = queue_objects(shared, place, [], labelled=True)
    found = [item for item in objects if item["kind"] in ("ClusterQueue", "Cohort")]
    assert len(found) == len(queues) + 1
    whole = quotas(queue_objects(spec(QUEUED, CPU_JOB), place, [QUEUED, CPU_JOB], labelled=True))
    total = {}
    for item in found:
        for flavor in item["spec"]["resourceGroups"][0]["flavors"]:
            for each in flavor["resources"]:
                key = flavor["name"], each["name"]
                assert amount(each) >= 0
                total[key] = total.get(key, 0) + amount(each)
    assert total == {
        (flavor, name): int(str(value).removesuffix("Gi"))
        for flavor, resources in whole.items()
        for name, value in resources.items()
    }


def amount(resource):
    return int(str(resource["nominalQuota"]).removesuffix("Gi"))


def test_who_lent_gpus_gets_them_back_and_each_project_has_a_namespace():
    shared = spec(QUEUED, queues=PROJECTS)
    objects = queue_objects(shared, PLACE, [QUEUED], labelled=True)
    rules = [i["spec"]["preemption"] for i in objects if i["kind"] == "ClusterQueue"]
    assert all(rule["reclaimWithinCohort"] == "Any" for rule in rules)
    local = {(i["metadata"]["namespace"], i["metadata"]["name"]) for i in objects
             if i["kind"] == "LocalQueue"}  # fmt: skip
    assert local == {("team-a", "user-queue"), ("b", "b")}
    classes = {i["metadata"]["name"] for i in objects if i["kind"] == "WorkloadPriorityClass"}
    assert {"low-priority", "high-priority"} <= classes


def test_a_job_that_queues_for_no_project_is_refused():
    with pytest.raises(InputError, match="none of the projects"):
        check_queues(spec(QUEUED, queues=PROJECTS[1:]), PLACE)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("kueu", "did you mean 'kueue'"),
        ("zzz", "there are aws-efa-k8s-device-plugin, cert-manager"),
    ],
)
def test_an_unknown_layer_is_an_error_with_a_near_match(name, hint):
    with pytest.raises(InputError, match=f"layers.{name}.*{hint}"):
        check_layers({name: LayerChoice()})


def test_what_a_job_needs_may_be_off_only_where_it_may_be_there_already():
    off = spec(QUEUED, layers={"kueue": {"enabled": False}, "jobset": {"enabled": False}})
    with pytest.raises(InputError, match="its queue is 'user-queue'"):
        chosen_layers(off, PLACE, [QUEUED])
    existing = PLACE.model_copy(update={"cloud": "existing"})
    assert [each.name for each in chosen_layers(off, existing, [QUEUED])] == [
        "node-feature-discovery", "gpu-operator",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("backend", "layer"),
    [
        ("volcano", "volcano"),
        ("trainjob", "kubeflow-trainer"),
        ("mpijob", "mpi-operator"),
        ("rayjob", "kuberay"),
    ],
)
def test_a_back_end_brings_its_layer_and_cannot_do_without_it(backend, layer):
    job = Job(name="a", run="true", backend=backend, framework=FRAMEWORKS.get(backend, "pytorch"))
    chosen = [each.name for each in chosen_layers(spec(job), PLACE, [job])]
    assert layer in chosen
    off = spec(job, layers={layer: {"enabled": False}})
    with pytest.raises(InputError, match=f"layers.{layer}: is off.*its back end is {backend}"):
        chosen_layers(off, PLACE, [job])


FRAMEWORKS = {"mpijob": "mpi", "rayjob": "ray"}


def test_a_layer_for_one_back_end_comes_only_with_it():
    job = Job(name="a", run="true")
    assert [each.name for each in chosen_layers(spec(job), PLACE, [job])] == [
        "aws-efa-k8s-device-plugin", "jobset", "node-feature-discovery", "gpu-operator", "kueue",
    ]  # fmt: skip


def test_volcanos_jobs_queue_at_volcano_and_not_at_kueue():
    job = Job(**{**JOB, "name": "gang", "backend": "volcano", "queue": "b"})
    shared = spec(job, queues=[{"project": "b", "gpus": 8, "borrow": 4}])
    queue, priority = volcano_objects(shared, [job])
    assert (queue["kind"], queue["metadata"]["name"]) == ("Queue", "b")
    assert queue["spec"]["deserved"] == {"nvidia.com/gpu": 8}
    assert queue["spec"]["capability"] == {"nvidia.com/gpu": 12}
    assert (priority["apiVersion"], priority["value"]) == ("scheduling.k8s.io/v1", 100)
    off = spec(job, layers={"kueue": {"enabled": False}})
    assert "volcano" in [each.name for each in chosen_layers(off, PLACE, [job])]
    assert queue_objects(spec(job), PLACE, [job], labelled=True) == []


def test_jobs_of_other_back_ends_need_nothing_of_volcano():
    assert volcano_objects(spec(QUEUED), [QUEUED]) == []
    default = Job(name="a", run="true", backend="volcano", queue="default")
    assert volcano_objects(spec(default), [default]) == []


def early(**layers):
    wanted = {name: LayerChoice(**choice) for name, choice in layers.items()}
    job = Job(**{**JOB, "queue": None, "priority": None, "backend": "trainjob"})
    return early_layers(chosen_layers(spec(job, layers=wanted), cluster(gpus()), [job]))


def gpus(**more):
    return PoolPlacement(**{**GPUS, **more})


def test_what_needs_no_accelerators_goes_in_while_they_are_made():
    found = early(mine={"chart": "oci://registry.example/mine", "version": "1.0.0"})
    assert {"node-feature-discovery", "jobset", "kubeflow-trainer"} <= found
    assert not found & {"gpu-operator", "mine"}


@pytest.mark.parametrize("where", ["nodeSelector", "affinity"])
def test_a_layer_that_the_user_places_waits_for_all_nodes_and_so_does_what_needs_it(where):
    pinned = {"values": {"controller": [{where: {"colony.dev/accelerator": "H100"}}]}}
    found = early(jobset=pinned)
    assert not found & {"jobset", "kubeflow-trainer"}
    assert "node-feature-discovery" in found


def test_accelerators_wait_only_for_nodes_that_are_there():
    system, dear = PoolPlacement(**SYSTEM), gpus()
    assert in_turn([dear, system]) == ([system], [dear])
    assert in_turn([dear]) == ([dear], [])
    empty = PoolPlacement(**{**SYSTEM, "nodes": 4, "min_nodes": 0})
    assert in_turn([empty, dear]) == ([empty, dear], [])
