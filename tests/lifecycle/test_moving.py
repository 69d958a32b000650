"""The same file with other regions: what was made in the old places is left, and nothing of it
stays; the jobs run in the new ones. Such a life takes the real engine some twenty seconds."""

import json
from types import SimpleNamespace

import pytest
import yaml
from colony_command import colony
from lifecycle_fakes import FakeGround

from colony.lifecycle import moving
from colony.lifecycle.moving import moved
from colony.lifecycle.prepare import _as_recorded, _hosts_stay, _planes_stay, _same_contexts
from colony.rehearsal.world import World, left
from components.placement import Placement
from components.spec import ColonySpec
from jobs.errors import InputError, ProvisioningFailed

OLD = {"eks": "us-east-1", "aks": "eastus", "gke": "us-central1"}
NEW = {"eks": "us-west-2", "aks": "westus2", "gke": "us-east4"}
CLOUDS = {"eks": ("aws", "A10G:1"), "aks": ("azure", "A100-80GB:1"), "gke": ("gcp", "L4:1")}


def written(path, regions):
    clusters = [
        {
            "name": name,
            "cloud": CLOUDS[name][0],
            "region": region,
            "access": {"cidrs": ["203.0.113.7/32"]},
            "pools": [{"name": "gpus", "accelerators": CLOUDS[name][1], "nodes": 1}],
        }
        for name, region in regions.items()
    ]
    head = {"apiVersion": "colony/v1", "kind": "Colony", "name": "wide", "clusters": clusters}
    jobs = [
        {"apiVersion": "colony/v1", "kind": "Job", "name": f"on-{name}", "colony": "wide",
         "resources": {"accelerators": CLOUDS[name][1]}, "run": "nvidia-smi"}
        for name in regions
    ]  # fmt: skip
    path.write_text(yaml.safe_dump_all([head, *jobs]))
    return path


def journal(world):
    return [json.loads(line) for line in (world / "journal.jsonl").read_text().splitlines()]


def jobsets(entries):
    """How often the engine made the job of each cluster."""
    made = [e["urn"].rsplit("-", 1)[-1] for e in entries
            if e.get("op") == "create" and "JobSet" in e.get("type", "")]  # fmt: skip
    return {name: made.count(name) for name in set(made)}


def is_inside(entry):
    return entry.get("op") == "delete" and entry.get("type", "").startswith("kubernetes:")


@pytest.fixture
def here(tmp_path):
    """The colony in its old regions."""
    world = tmp_path / "world"
    World.create(world).close()
    up = colony("up", written(tmp_path / "wide.yaml", OLD), "--world", world)
    assert up.code == 0, up.err
    return world


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_clusters_of_several_clouds_move_in_one_up_and_nothing_of_the_old_stays(here, tmp_path):
    before, seen = {line["id"] for line in left(here)}, len(journal(here))
    there = colony("up", written(tmp_path / "wide.yaml", NEW), "--world", here, deadline=200)
    assert there.code == 0, there.err
    assert "ready 3 of 3" in there.out
    since = journal(here)[seen:]
    assert [entry["error"] for entry in since if entry.get("error")] == []
    assert [entry["urn"] for entry in since if is_inside(entry)] == [], "it goes with its cluster"
    assert jobsets(since) == {"eks": 1, "aks": 1, "gke": 1}
    after = {line["id"] for line in left(here)}
    assert after and after.isdisjoint(before)

    seen = len(journal(here))
    again = colony("up", tmp_path / "wide.yaml", "--world", here)
    assert again.code == 0, again.err
    assert [e["op"] for e in journal(here)[seen:] if e.get("op") in ("create", "delete")] == []

    down = colony("down", "wide", "--world", here)
    assert (down.code, left(here)) == (0, []), down.err


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_one_cluster_moves_and_its_neighbours_stay(here, tmp_path):
    file = written(tmp_path / "wide.yaml", {**OLD, "aks": NEW["aks"]})
    seen = len(journal(here))
    up = colony("up", file, "--world", here, deadline=200)
    assert up.code == 0, up.err
    urns = {e["urn"].rsplit("::", 1)[-1] for e in journal(here)[seen:] if e.get("urn")}
    assert {"wide-aks-aks", "wide-on-aks-jobset-on-aks"} <= urns
    assert not any(name.startswith(("wide-eks", "wide-gke")) for name in urns)
    assert colony("down", "wide", "--world", here).code == 0
    assert left(here) == []


def spec(**cluster):
    pools = [{"name": "gpus", "accelerators": "A10G:1", "nodes": 1}]
    return ColonySpec.model_validate(
        {"name": "wide", "clusters": [{"name": "main", "pools": pools, **cluster}]}
    )


def placement(cloud="aws", region="us-east-1", zone=None, job=None, zones=()):
    pool = {"name": "gpus", "instance_type": "g5.xlarge", "accelerator": "A10G",
            "accelerator_count": 1, "nodes": 1, "zone": zone, "price_per_node_hour": 1}  # fmt: skip
    clusters = [{"name": "main", "cloud": cloud, "region": region, "zones": zones, "pools": [pool]}]
    return Placement.model_validate({"clusters": clusters, "jobs": {job: "main"} if job else {}})


def there_already(before, wanted):
    """In the same region it knows the zones that it is in; elsewhere it knows nothing."""
    (old,), (new,) = before.clusters, wanted.clusters
    if old.region == new.region:
        new = new.model_copy(update={"spans": ["us-east-1a", "us-east-1b"]})
    return wanted.model_copy(update={"clusters": [new]})


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({}, id="the file leaves it open"),
        pytest.param({"cloud": "aws"}, id="the cloud"),
        pytest.param({"region": "us-east-1"}, id="the region"),
        pytest.param({"region": "us-east-1", "zones": ["us-east-1a", "us-east-1b"]}, id="zones"),
    ],
)
def test_a_cluster_that_is_where_the_file_wants_it_stays_whatever_is_cheaper_now(asked):
    kept = placement(zones=["us-east-1a"])
    assert _as_recorded(kept, placement(region="us-west-2"), spec(**asked)) == kept


def with_pool(kubernetes, price, machine="g5.xlarge", **pool):
    bought = {"instance_type": machine, "nodes": 2, "price_per_node_hour": price}
    pools = [{"name": "gpus", "accelerator": "A10G", "accelerator_count": 1, **bought, **pool}]
    found = {"name": "main", "cloud": "aws", "region": "us-east-1", "kubernetes": kubernetes}
    return Placement.model_validate({"clusters": [{**found, "pools": pools}], "jobs": {}})


@pytest.mark.parametrize(("said", "version"), [("1.35", "1.35"), (None, "1.34")])
def test_what_the_file_says_of_a_pool_is_changed_and_what_the_market_chose_stays(said, version):
    """A version of Kubernetes that only a newer Colony prefers upgrades nothing."""
    before = with_pool("1.34", 1.0, disk=200, min_nodes=1, stopped=5)
    wanted = with_pool("1.35", 0.5, "g5.cheaper", disk=400, image="other", compact=True)
    asked = spec(region="us-east-1", **({"kubernetes": said} if said else {}))
    found = _as_recorded(before, wanted, asked)
    assert found == with_pool(version, 1.0, disk=400, image="other", compact=True)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"region": "us-west-2"}, {"region": "us-west-2"}),
        ({"cloud": "gcp"}, {"cloud": "gcp", "region": "us-east4"}),
        ({"region": "us-east-1", "zones": ["us-east-1b"]}, {"zones": ["us-east-1b"]}),
    ],
)
def test_a_cluster_that_the_file_wants_elsewhere_is_placed_anew(asked, wanted):
    before = placement(zones=["us-east-1a"])
    found = _as_recorded(before, placement(**wanted), spec(**asked))
    assert found == there_already(before, placement(**wanted))


@pytest.mark.parametrize(
    "need", [{"region": "us-west-2"}, {"cloud": "aws", "region": "us-east-1", "zone": "us-east-1b"}]
)
def test_where_a_job_asks_to_be_counts_as_well(need):
    job = {"name": "train", "resources": {"accelerators": "A10G:1", **need}}
    asked = ColonySpec.model_validate({"name": "wide", "jobs": [{**job, "run": "true"}]})
    wanted = placement(region=need["region"], zone=need.get("zone"), job="train")
    before = placement(zone="us-east-1a", job="train")
    assert _as_recorded(before, wanted, asked) == there_already(before, wanted)


def existing(context, name="main"):
    cluster = {"name": name, "cloud": "existing", "region": "", "context": context}
    return Placement.model_validate({"clusters": [cluster], "jobs": {}})


def test_another_context_is_refused_since_an_existing_cluster_is_not_left_for_another():
    with pytest.raises(InputError, match="is `b`, and the colony is on `a`") as refused:
        _same_contexts(existing("a"), existing("b"))
    assert "write `context: a` into the file" in str(refused.value)
    for before, after in [
        (existing("a"), existing("a")),
        (existing("a"), existing("b", "other")),
        (existing("a"), placement()),
        (placement(), existing("a")),
    ]:
        _same_contexts(before, after)


def on_hosts(**clusters):
    lab = {"cloud": "onprem", "region": ""}
    found = [
        {**lab, "name": name, "hosts": [{"address": a, "user": "ops", "pool": "cpu"} for a in each]}
        for name, each in clusters.items()
    ]
    return Placement.model_validate({"clusters": found})


def test_a_host_goes_to_another_cluster_in_two_steps():
    recorded = on_hosts(a=["h1", "h2"], b=["h3"])
    with pytest.raises(
        InputError, match=r"clusters\.b\.hosts: `h2` is a node of cluster a"
    ) as told:
        _hosts_stay(recorded, on_hosts(a=["h1"], b=["h3", "h2"]))
    assert "with one `colony up`" in str(told.value)
    _hosts_stay(recorded, on_hosts(a=["h1"], b=["h3"]))
    _hosts_stay(on_hosts(a=["h1"], b=["h3"]), on_hosts(a=["h1"], b=["h3", "h2"]))
    _hosts_stay(recorded, on_hosts(renamed=["h1", "h2"], b=["h3"]))


def test_the_control_plane_stays_on_its_host_whatever_the_order_in_the_file():
    """Or k3s would be taken off the host that has just become the other."""
    recorded = on_hosts(a=["h1", "h2", "h3"])
    whole = "urn:pulumi:s::colony::colony:index:Colony$colony:index:OnpremCluster::s-a"
    server = f"{whole.removesuffix('::s-a')}$command:remote:Command::s-a-server"
    made = {"resources": [{"urn": whole}, {"urn": server, "parent": whole}]}

    def stays(wanted, deployment=made):
        return _planes_stay(recorded, wanted, "s", lambda: deployment)

    found = stays(on_hosts(a=["h3", "h1", "h4"], b=["h9", "h8"]))
    assert found == on_hosts(a=["h1", "h3", "h4"], b=["h9", "h8"])
    with pytest.raises(InputError, match=r"clusters\.a\.hosts: `h1` runs the control plane"):
        stays(on_hosts(a=["h2", "h3"]))
    assert stays(on_hosts(b=["h2"])) == on_hosts(b=["h2"])
    assert stays(on_hosts(a=["h2"]), {}) == on_hosts(a=["h2"]), "it has never come up there"


def state(type_, **inputs):
    urn = f"urn:pulumi:wide::colony::colony:index:Colony${type_}::wide-main"
    return {"resources": [{"urn": urn, "type": type_, "inputs": inputs}]}


@pytest.mark.parametrize(
    ("there", "names"),
    [
        (state("colony:index:EksCluster", region="us-east-1"), []),
        (state("colony:index:EksCluster", region="us-west-2"), ["main"]),
        (state("colony:index:GkeCluster", region="us-east-1"), ["main"]),
        (state("colony:index:ExistingCluster", context="kind"), ["main"]),
        ({}, []),
    ],
)
def test_what_has_moved_is_seen_in_the_state_so_that_a_killed_move_goes_on(there, names):
    assert moved(there, "wide", placement()) == names


@pytest.mark.parametrize(
    ("there", "names"),
    [
        (
            state("colony:index:OnpremCluster", hosts=["ops@10.0.0.1:22", "ops@10.0.0.2:22"]),
            ["main"],
        ),
        (state("colony:index:OnpremCluster", hosts=["ops@10.0.0.9:22"]), []),
        (state("colony:index:ExistingCluster", context="kind"), ["main"]),
        (state("colony:index:ExistingCluster", context="other"), []),
        (state("colony:index:EksCluster", region="us-east-1"), []),
    ],
)
def test_another_name_for_the_same_hosts_or_context_is_a_move(there, names):
    lab = {"name": "lab", "cloud": "onprem", "region": ""}
    hosts = [{"address": f"10.0.0.{n}", "user": "ops", "pool": "cpu"} for n in (1, 2)]
    clusters = [{**lab, "hosts": hosts}, existing("kind", "theirs").clusters[0]]
    assert moved(there, "wide", Placement.model_validate({"clusters": clusters})) == names


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_a_renamed_cluster_of_hosts_gives_them_back_before_it_takes_them(tmp_path):
    """Otherwise the end of the old one takes k3s off the hosts of the new."""
    world, file = tmp_path / "world", tmp_path / "wide.yaml"
    World.create(world).close()

    def up(name):
        lab = {"name": name, "cloud": "onprem", "ssh": {"user": "ops"}, "hosts": ["10.0.0.1"]}
        head = {"apiVersion": "colony/v1", "kind": "Colony", "name": "wide", "clusters": [lab]}
        file.write_text(yaml.safe_dump(head))
        return colony("up", file, "--world", world)

    assert up("lab").code == 0
    renamed = up("metal")
    assert renamed.code == 0, renamed.err
    assert "moved or renamed by the file: lab" in renamed.out
    said = [line.split() for line in renamed.out.splitlines() if "-server" in line]
    assert [each[:4:3] for each in said] == [
        ["30s", "wide-lab-server"],
        ["1m30s", "wide-metal-server"],
    ]
    steps = [
        f"{each['op']} {each['urn'].rsplit('::', 1)[-1]}"
        for each in journal(world)
        if each.get("op") in ("create", "delete")
    ]
    assert steps.index("delete wide-lab-server") < steps.index("create wide-metal-server")
    assert colony("down", "wide", "--world", world).code == 0


def test_an_old_place_that_is_not_left_yet_says_what_goes_on(monkeypatch):
    def fails(stack, only):
        raise ProvisioningFailed("destroy failed: wide-main: in use", {only[0]: "in use"})

    there = state("colony:index:EksCluster", region="us-west-2")
    monkeypatch.setattr(moving, "take_over", lambda engine, stack, tell: None)
    ground = FakeGround()
    ground.engine = SimpleNamespace(destroy=fails)
    plan = SimpleNamespace(spec=spec(), placement=placement())
    with pytest.raises(
        ProvisioningFailed, match=r"old main .* in use .*`colony up` goes on"
    ) as told:
        moving.leave_old_places(ground, plan, there, lambda text, at=None: None, 0.0)
    assert list(told.value.failures.values()) == ["in use"]
