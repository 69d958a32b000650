"""Clusters on hosts of one's own as they would be registered, and the scripts that run there."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from recording import JOB, colony_args, inputs, record_program

from colony.rehearsal import schema
from components.clusters.onprem import data
from components.hosts import HostSpec, node_name
from components.placement import ClusterPlacement
from jobs.errors import InputError, NotSupported

A100 = {"name": "a100-8", "instance_type": "host", "accelerator": "A100", "accelerator_count": 8,
        "nodes": 2, "price_per_node_hour": 0}  # fmt: skip
HEAD = {"name": "cpu", "instance_type": "host", "nodes": 1, "price_per_node_hour": 0}
HOSTS = [
    {"address": "head.lab", "user": "ops", "pool": "cpu", "host_key": "ssh-ed25519 AAAA"},
    {"address": "10.0.0.1", "user": "root", "port": 2222, "pool": "a100-8"},
    {"address": "10.0.0.2", "user": "root", "pool": "a100-8"},
]


def recorded(**more):
    from components.colony import Colony

    job = {k: v for k, v in JOB.items() if k not in ("queue", "priority")}
    job |= {"nodes": 2, "resources": {"accelerators": "A100:8"}}
    args = colony_args(cloud="onprem", region="", pools=[HEAD, A100], jobs=[job])
    args["placement"]["clusters"][0] |= {"hosts": HOSTS, **more}
    args["ssh_keys"] = {args["placement"]["clusters"][0]["name"]: "PRIVATE KEY"}
    return record_program(lambda: Colony("demo", args))


@pytest.fixture(scope="module")
def recording():
    return recorded()


def commands(recording):
    found = [r for r in recording.custom() if r.type == "command:remote:Command"]
    return {r.name.removeprefix("demo-main-"): r for r in found}


def connection(request):
    """It may hold a private key, so all of it is secret."""
    return inputs(request)["connection"]["value"]


GOLDEN = Path(__file__).with_name("golden") / "plans"
PLANS = {
    "onprem-a100": {},
    "onprem-named": {
        "external_address": "lab.example.org", "installer": "/opt/k3s.sh", "kubernetes": "1.33",
    },
}  # fmt: skip


def told(request):
    """A script by what is set for it; what it does is beside it, in `scripts/`."""
    given = inputs(request)
    if "connection" in given:
        given["connection"] = {**connection(request), "privateKey": "[secret]"}
    for step in ("create", "delete"):
        if step in given:
            given[step] = given[step].partition("# Put before every script.")[0].splitlines()
    given.pop("kubeconfig", None)
    if "stdin" in given:
        given["stdin"] = "[secret]"
    shown = {"type": request.type, "name": request.name, "inputs": given}
    gone = request.deletedWith.split("::")[-1]
    return {**shown, **({"deleted_with": gone} if gone else {})}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_is_the_golden_one(name):
    recording = recorded(**PLANS[name])
    ours = [r for r in recording.requests if r.type.startswith(("command:", "pulumi:providers:"))]
    text = yaml.safe_dump(
        json.loads(json.dumps([told(r) for r in ours])), sort_keys=True, width=100
    )
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()
    assert len(recording.requests) <= 40


def test_each_host_is_k3s_and_its_node_and_the_first_serves(recording):
    found = commands(recording)
    assert sorted(found) == [
        "access", "host-10-0-0-1-k3s", "host-10-0-0-1-node", "host-10-0-0-2-k3s",
        "host-10-0-0-2-node", "server",
    ]  # fmt: skip
    hosts = {name: connection(r)["host"] for name, r in found.items()}
    assert hosts["host-10-0-0-1-node"] == hosts["access"] == hosts["server"] == "head.lab"
    assert connection(found["host-10-0-0-1-k3s"])["port"] == 2222


def test_nodes_are_drained_only_while_their_cluster_lives_and_k3s_always_goes(recording):
    found = commands(recording)
    server = found["server"]
    assert found["host-10-0-0-1-node"].deletedWith.endswith("demo-main-server")
    assert not found["host-10-0-0-1-k3s"].deletedWith
    assert not server.deletedWith
    assert inputs(found["host-10-0-0-1-k3s"])["delete"]


def test_every_property_is_one_that_the_sdk_knows(recording):
    for name, request in commands(recording).items():
        assert schema.check(request.type, inputs(request)) == [], name


def test_nodes_carry_the_labels_that_jobs_select_by(recording):
    text = inputs(commands(recording)["host-10-0-0-1-k3s"])["create"]
    assert "--node-label=colony.dev/accelerator=A100" in text
    assert "--node-taint=nvidia.com/gpu=present:NoSchedule" in text
    assert "GPUS=8" in text


def test_the_token_is_never_an_argument(recording):
    for name, request in commands(recording).items():
        given = inputs(request)
        assert "colony-token:" not in str(given.get("create")) or name == "access"
    assert "stdout" in commands(recording)["access"].additionalSecretOutputs


SCRIPTS = sorted(path.stem for path in (data.FOLDER / "scripts").glob("*.sh"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_plain_posix_shell(name):
    text = data.script(name, {"NODE": "it's", "COLONY": "demo"})
    done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")


def place(**more):
    given = {"name": "lab", "cloud": "onprem", "region": "", "pools": [HEAD, A100], "hosts": HOSTS}
    return ClusterPlacement.model_validate({**given, **more})


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"hosts": []}, InputError, "needs hosts"),
        ({"hosts": [{**HOSTS[1], "address": f"h{n}"} for n in range(17)]}, NotSupported, "at most"),
        ({"kubernetes": "1.43"}, NotSupported, "did you mean `1.33`"),
    ],
)
def test_what_cannot_be_built_is_refused_by_path(change, error, says):
    with pytest.raises(error, match=says):
        data.check(place(**change))


@pytest.mark.parametrize(
    ("asked", "taken"), [("", "v1.34.1+k3s1"), ("1.33", "v1.33.5+k3s1"), ("v1.34", "v1.34.1+k3s1")]
)
def test_a_kubernetes_version_is_a_k3s_release(asked, taken):
    assert data.version_of(place(kubernetes=asked)) == taken


@pytest.mark.parametrize(
    ("address", "external", "url"),
    [
        ("10.0.0.1", None, "https://10.0.0.1:6443"),
        ("fd00::1", None, "https://[fd00::1]:6443"),
        ("10.0.0.1", "lab.example.org", "https://lab.example.org:6443"),
    ],
)
def test_the_server_is_where_all_reach_it(address, external, url):
    hosts = [{**HOSTS[0], "address": address}]
    assert data.server_url(place(hosts=hosts, external_address=external)) == url


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("gpu1", ("gpu1", None, None)),
        ("ops@10.0.0.1:2222", ("10.0.0.1", "ops", 2222)),
        ("root@[fd00::1]:22", ("fd00::1", "root", 22)),
    ],
)
def test_a_host_is_written_as_for_ssh(text, host):
    made = HostSpec.model_validate(text)
    assert (made.address, made.user, made.port) == host


@pytest.mark.parametrize(
    "wrong",
    ["", "a b", "-oProxyCommand=x", "u@h:0", "u@h:99999", "u@@h", "$(id)@h", {"address": "a;b"},
     {"address": "a", "accelerators": "A100:0.5"}, {"address": "a", "gpus": 8}],
)  # fmt: skip
def test_what_is_no_host_is_refused(wrong):
    with pytest.raises(ValueError, match=r"."):
        HostSpec.model_validate(wrong)


@pytest.mark.parametrize(
    ("address", "name"),
    [("10.0.0.1", "host-10-0-0-1"), ("GPU1.lab", "gpu1.lab"), ("fd00::1", "host-fd00-1")],
)
def test_a_node_is_named_by_its_address(address, name):
    assert node_name(address) == name


def test_the_data_names_its_sources():
    text = (data.FOLDER / "k3s.yaml").read_text(encoding="utf-8")
    assert text.count("https://docs.k3s.io/") >= 4
    assert yaml.safe_load(text)["version"] in data.k3s()["releases"].values()
