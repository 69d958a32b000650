"""On-prem, with hosts of our own making that are really reached by SSH."""

import json
from functools import partial

import colony_command
import metal
import pytest
import yaml

from colony import ssh
from colony.rehearsal.realcluster import RealCluster
from colony.rehearsal.world import World, left
from components.clusters.onprem import data

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

colony = partial(colony_command.colony, deadline=500)

BARE = {"gpu-operator": "off", "jobset": "off", "kueue": "off"}
JOB = {"name": "metal-train", "backend": "job", "run": "true", "max_run_time": "1h"}


@pytest.fixture
def hosts(plane, tmp_path):
    if reason := metal.missing():
        pytest.skip(f"NOT SHOWN, no hosts of our own: {reason}")
    with metal.Metal(tmp_path / "metal", plane.kubeconfig, 3) as up:
        yield up


@pytest.fixture
def world(plane, tmp_path):
    folder = tmp_path / "world"
    World.create(folder, kubernetes=RealCluster.of(plane.kubeconfig), hosts=True).close()
    return folder


@pytest.fixture
def file(hosts, tmp_path):
    """Writes a colony of the given hosts."""

    def write(addresses, jobs=(), **cluster):
        ssh = {"key": str(hosts.key), "known_hosts": str(hosts.known_hosts)}
        lab = {
            "name": "lab", "cloud": "onprem", "hosts": list(addresses), "ssh": ssh,
            "installer": str(hosts.installer), **cluster,
        }  # fmt: skip
        spec = {
            "apiVersion": "colony/v1", "kind": "Colony", "name": "metal", "clusters": [lab],
            "layers": BARE, "teardown": {"grace": 0},
            "jobs": list(jobs),
        }  # fmt: skip
        path = tmp_path / "metal.yaml"
        path.write_text(yaml.safe_dump(spec))
        return path

    return write


def nodes(cluster):
    found = cluster.list("v1/Node", labels="metal=yes")
    return {each["metadata"]["name"]: each["metadata"]["labels"] for each in found}


def node(address):
    return f"host-{address.replace('.', '-')}"


def test_a_job_runs_on_own_hosts_and_they_are_as_they_were(hosts, file, plane, cluster, tmp_path):
    before = {address: hosts.left(address) for address in hosts.addresses}
    path = file(hosts.addresses, [{**JOB, "nodes": 2}])
    done = colony("rehearse", path, "--hosts", "--kubernetes", plane.kubeconfig, "--format", "json")
    assert done.code == 0, done.out + done.err
    assert json.loads(done.out)["outcome"] == "succeeded"
    first, *others = hosts.addresses
    assert hosts.joins()[:1] == [f"server {node(first)}"]
    assert set(hosts.joins()) == {
        f"server {node(first)}", *(f"agent {node(each)}" for each in others),
        *(f"left {node(each)}" for each in hosts.addresses),
    }  # fmt: skip
    assert {address: hosts.left(address) for address in hosts.addresses} == before
    assert nodes(cluster) == {}


def test_hosts_join_and_leave_one_by_one(hosts, file, world, cluster):
    first, second, third = hosts.addresses
    assert_done(colony("up", file([first, second]), "--world", world, "--yes"))
    assert set(nodes(cluster)) == {node(first), node(second)}
    assert nodes(cluster)[node(second)]["colony.dev/pool"] == "cpu"

    assert_done(colony("up", file([first, second, third]), "--world", world, "--yes"))
    assert set(nodes(cluster)) == {node(each) for each in hosts.addresses}
    assert hosts.joins() == [
        f"server {node(first)}",
        f"agent {node(second)}",
        f"agent {node(third)}",
    ]

    assert_done(colony("up", file([first, third]), "--world", world, "--yes"))
    assert set(nodes(cluster)) == {node(first), node(third)}
    assert hosts.left(second) == []

    assert_done(colony("down", "metal", "--world", world, "--yes"))
    assert nodes(cluster) == {}
    assert [hosts.left(each) for each in hosts.addresses] == [[], [], []]
    assert left(world) == []


def test_hosts_join_and_leave_a_colony_that_is_up(hosts, file, world, cluster):
    first, second, third = hosts.addresses
    assert_done(colony("up", file([first]), "--world", world, "--yes"))
    lab = ("metal/lab", "--world", world, "--format", "json")
    done = colony("node", "add", *lab, second, third)
    assert_done(done)
    assert done.json["hosts"] == hosts.addresses
    assert set(nodes(cluster)) == {node(each) for each in hosts.addresses}

    assert_done(colony("node", "remove", *lab, second))
    assert set(nodes(cluster)) == {node(first), node(third)}
    assert hosts.left(second) == []

    hosts.forget_token()
    done = colony("node", "add", *lab, second)
    assert done.code == 1, done.out + done.err
    assert f"{node(second)}-k3s" in done.err
    assert "token is not valid" in done.err
    assert set(nodes(cluster)) == {node(first), node(third)}

    assert_done(colony("down", "metal", "--world", world, "--yes"))
    assert [hosts.left(first), hosts.left(third)] == [[], []]


def unknown(hosts):
    hosts.known_hosts.write_text("")


def another_host_key(hosts):
    first = hosts.known_hosts.read_text().splitlines()[0]
    liar = first.replace(hosts.addresses[0], hosts.addresses[1])
    hosts.known_hosts.write_text(f"{first}\n{liar}\n")


def wrong_key(hosts):
    (hosts.folder / hosts.addresses[1] / "authorized_keys").write_text("")


def off(hosts):
    metal.ip("link", "set", f"{metal.OUTER}12", "down")


@pytest.mark.parametrize(
    ("mistake", "says"),
    [
        (unknown, "has no key of 10.211.77.12"),
        (another_host_key, "verification failed"),
        (wrong_key, "Permission denied"),
        (off, "10.211.77.12"),
    ],
)
def test_a_host_that_does_not_let_us_in_is_refused_before_anything_is_made(
    mistake, says, hosts, file, world
):
    mistake(hosts)
    done = colony("run", file(hosts.addresses[:2], [JOB]), "--world", world, "--yes")
    assert done.code == 2, done.out + done.err
    assert says in done.err
    assert "hosts[1]" in done.err
    assert hosts.joins() == []


def test_a_host_in_use_is_named_and_the_others_are_given_back(hosts, file, world, cluster):
    hosts.own(hosts.addresses[1], "/usr/local/bin").joinpath("k3s").write_text("theirs")
    done = colony("run", file(hosts.addresses[:2], [JOB]), "--world", world, "--yes")
    assert done.code == 1, done.out + done.err
    assert "Colony did not install it" in done.out + done.err
    assert node(hosts.addresses[1]) in done.out + done.err
    assert nodes(cluster) == {}
    assert hosts.left(hosts.addresses[0]) == []
    assert hosts.left(hosts.addresses[1]) == ["k3s"]


@pytest.mark.parametrize(
    ("more", "says", "installed"),
    [
        ({"kubernetes": "1.33"}, "no release v1.33.5+k3s1", []),
        ({"external_address": "10.211.77.99"}, "no server at https://10.211.77.99:6443",
         ["server", "left"]),
    ],
)  # fmt: skip
def test_what_k3s_refuses_is_told_and_nothing_is_left(
    more, says, installed, hosts, file, world, cluster
):
    done = colony("run", file(hosts.addresses[:2], [JOB], **more), "--world", world, "--yes")
    assert done.code == 1, done.out + done.err
    assert says in done.out + done.err
    assert [line.split()[0] for line in hosts.joins()] == installed
    assert nodes(cluster) == {}
    assert [hosts.left(each) for each in hosts.addresses[:2]] == [[], []]


def test_a_second_join_is_refused_by_k3s(hosts, file, world, cluster):
    assert_done(colony("up", file(hosts.addresses[:2]), "--world", world, "--yes"))
    again = data.script(
        "agent-create",
        {
            "COLONY": "metal", "NODE": node(hosts.addresses[1]), "GPUS": 0,
            "VERSION": metal.VERSION, "INSTALLER": hosts.installer, "ARGUMENTS": "",
            "SERVER": f"https://{hosts.addresses[0]}:6443",
        },
    )  # fmt: skip
    said = ssh.run(hosts.way(hosts.addresses[1]), again, hosts.token())
    assert said.code == 1
    assert "has joined already" in said.err
    assert_done(colony("down", "metal", "--world", world, "--yes"))


def test_gpus_of_the_file_are_compared_with_the_hosts_before_anything_is_made(hosts, file, world):
    has = {"address": hosts.addresses[0], "accelerators": "A100:8"}
    job = {**JOB, "resources": {"accelerators": "A100:8"}}
    done = colony("run", file([has], [job]), "--world", world, "--yes")
    assert done.code == 2, done.out + done.err
    assert (
        "clusters[0].hosts[0].accelerators: the file says A100:8, 10.211.77.11 has no" in done.err
    )
    assert hosts.joins() == []


def assert_done(done):
    assert done.code == 0, done.out + done.err
