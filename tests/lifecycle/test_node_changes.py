"""What spec and placement become when a node joins or leaves, and what is refused."""

import pytest

from colony.lifecycle.node_changes import Shape, resized, with_host, without_host
from colony.market.onprem import placement_of
from components.hosts import HostSpec
from components.placement import ClusterPlacement, Placement
from components.spec import ColonySpec
from jobs.errors import InputError, NotSupported
from jobs.spec import Job

A100 = {"accelerators": "A100:8", "cpus": 64, "memory": 512}
HOSTS = ["head.lab", {"address": "10.0.0.1", **A100}, {"address": "10.0.0.2", **A100}]
POOLS = [
    {"name": "system", "instance_type": "m7i.large", "nodes": 2, "cpus": 2, "memory_gib": 8,
     "price_per_node_hour": 0.1},
    {"name": "gpu", "instance_type": "p4d.24xlarge", "accelerator": "A100", "nodes": 3,
     "accelerator_count": 8, "cpus": 96, "memory_gib": 1152, "price_per_node_hour": 20.0},
]  # fmt: skip


@pytest.fixture
def shape():
    lab = {"name": "lab", "cloud": "onprem", "hosts": HOSTS, "external_address": "lab.example.org"}
    rented = {"name": "rented", "cloud": "aws",
              "pools": [{"name": "gpu", "accelerators": "A100:8", "nodes": 3}]}  # fmt: skip
    theirs = {"name": "theirs", "cloud": "existing", "context": "x"}
    spec = ColonySpec.model_validate({"name": "demo", "clusters": [lab, rented, theirs]})
    metal = placement_of(spec.clusters[0])
    keyed = [
        host.model_copy(update={"host_key": f"ssh-ed25519 {n}"})
        for n, host in enumerate(metal.hosts)
    ]
    return Shape(
        spec,
        Placement(
            clusters=[
                metal.model_copy(update={"hosts": keyed}),
                ClusterPlacement(name="rented", cloud="aws", region="us-east-1", pools=POOLS),
                ClusterPlacement(name="theirs", cloud="existing", region="", context="x"),
            ]
        ),
    )


def gang(nodes, accelerators="A100:8", name="train"):
    return Job(name=name, nodes=nodes, run="true", resources={"accelerators": accelerators})


def place(shape, name):
    return next(each for each in shape.placement.clusters if each.name == name)


def test_a_host_joins_as_the_last_one_and_the_others_keep_their_keys(shape):
    new = HostSpec(address="10.0.0.3", user="ops", **A100)
    lab = place(with_host(shape, "lab", new, "ssh-ed25519 new"), "lab")
    assert [(host.address, host.host_key[12:]) for host in lab.hosts] == [
        ("head.lab", "0"), ("10.0.0.1", "1"), ("10.0.0.2", "2"), ("10.0.0.3", "new"),
    ]  # fmt: skip
    assert {pool.name: pool.nodes for pool in lab.pools} == {"cpu": 1, "a100-8": 3}
    assert lab.external_address == "lab.example.org"


def test_spec_and_placement_change_together_and_nothing_else_does(shape):
    changed = with_host(shape, "lab", HostSpec(address="10.0.0.3"))
    assert [host.address for host in changed.spec.clusters[0].hosts][-1] == "10.0.0.3"
    assert changed.spec.clusters[1:] == shape.spec.clusters[1:]
    assert changed.placement.clusters[1:] == shape.placement.clusters[1:]
    assert without_host(changed, "lab", "10.0.0.3", []) == shape


@pytest.mark.parametrize("address", ["10.0.0.2", "HEAD.lab"])
def test_a_host_that_is_there_does_not_join_again(shape, address):
    with pytest.raises(InputError, match="is in demo/lab already"):
        with_host(shape, "lab", HostSpec(address=address))


@pytest.mark.parametrize(
    ("cluster", "error", "says"),
    [
        ("lbb", InputError, "did you mean `lab`"),
        ("rented", NotSupported, "takes no hosts (name a pool: system, gpu)"),
        ("theirs", NotSupported, "not Colony's"),
    ],
)
def test_only_clusters_on_hosts_take_hosts(shape, cluster, error, says):
    with pytest.raises(error) as caught:
        with_host(shape, cluster, HostSpec(address="10.0.0.3"))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("address", "error", "says"),
    [
        ("10.0.0.9", InputError, "did you mean `10.0.0"),
        ("head.lab", NotSupported, "control plane"),
    ],
)
def test_what_is_not_there_and_the_server_do_not_leave(shape, address, error, says):
    with pytest.raises(error, match=says):
        without_host(shape, "lab", address, [])


def test_a_host_leaves_unless_a_job_needs_it(shape):
    lab = place(without_host(shape, "lab", "10.0.0.1", [gang(1)]), "lab")
    assert [host.address for host in lab.hosts] == ["head.lab", "10.0.0.2"]
    with pytest.raises(InputError, match=r"'train' may still run.*1 x A100:8"):
        without_host(shape, "lab", "10.0.0.1", [gang(2)])
    with pytest.raises(InputError, match="'second' may still run"):
        without_host(shape, "lab", "10.0.0.1", [gang(1), gang(1, name="second")])


def test_a_pool_grows_and_shrinks_at_its_recorded_price(shape):
    larger = resized(shape, "rented", "gpu", 2, [])
    assert [pool.nodes for pool in place(larger, "rented").pools] == [2, 5]
    assert larger.spec.clusters[1].pools[0].nodes == 5
    assert larger.placement.price_per_hour - shape.placement.price_per_hour == 40.0
    assert resized(larger, "rented", "gpu", -2, []) == shape


def test_a_pool_that_the_market_added_changes_in_the_placement_alone(shape):
    larger = resized(shape, "rented", "system", 1, [])
    assert place(larger, "rented").pools[0].nodes == 3
    assert larger.spec == shape.spec


@pytest.mark.parametrize(
    ("pool", "by", "jobs", "says"),
    [
        ("gqu", 1, [], "did you mean `gpu`"),
        ("gpu", -3, [], "keeps at least 1"),
        ("gpu", -1, [gang(3)], "may still run"),
    ],
)
def test_what_a_pool_cannot_do_is_refused(shape, pool, by, jobs, says):
    with pytest.raises(InputError, match=says):
        resized(shape, "rented", pool, by, jobs)
    assert resized(shape, "rented", "gpu", -1, [gang(2)])
