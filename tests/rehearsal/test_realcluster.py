import pytest
import yaml

from colony.rehearsal.realcluster import RealCluster
from colony.rehearsal.world import World
from jobs.errors import InputError


def kubeconfig(folder, server="https://127.0.0.1:6443", current="here", user=None, **cluster):
    path = folder / "kubeconfig.yaml"
    content = {
        "clusters": [
            {"name": "c", "cluster": {"server": server, **cluster}},
            {"name": "prod", "cluster": {"server": "https://prod.example.com"}},
        ],
        "users": [{"name": "u", "user": user or {"token": "canary"}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u"}},
            {"name": "prod", "context": {"cluster": "prod", "user": "u"}},
        ],
        "current-context": current,
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    "server", ["https://127.0.0.1:6443", "https://127.8.0.1", "https://[::1]:6443", "http://localhost:1"]
)  # fmt: skip
def test_an_api_server_on_loopback_is_taken(server, tmp_path):
    real = RealCluster.of(kubeconfig(tmp_path, server))
    assert (real.context, real.server) == ("here", server)
    assert yaml.safe_load(real.kubeconfig())["current-context"] == "here"


@pytest.mark.parametrize(
    ("options", "context", "said"),
    [
        ({"server": "https://10.0.0.1:6443"}, None, "is not on this machine"),
        ({"server": "https://127.0.0.1.example.com"}, None, "is not on this machine"),
        ({"server": "https://example.com/127.0.0.1"}, None, "is not on this machine"),
        ({"server": "https://0.0.0.0:6443"}, None, "is not on this machine"),
        ({"server": ""}, None, "no server is not on this machine"),
        ({"proxy-url": "http://10.0.0.1:3128"}, None, "through a proxy"),
        ({"user": {"exec": {"command": "aws"}}}, None, "come from a program"),
        ({"user": {"auth-provider": {"name": "gcp"}}}, None, "come from a program"),
        ({}, "prod", "prod.example.com is not on this machine"),
        ({"current": "prod"}, None, "prod.example.com is not on this machine"),
        ({}, "nope", "has no context `nope` (it has here, prod)"),
        ({"current": ""}, None, "has no current context"),
    ],
)  # fmt: skip
def test_whatever_could_be_a_real_cluster_is_refused(options, context, said, tmp_path):
    with pytest.raises(InputError) as caught:
        RealCluster.of(kubeconfig(tmp_path, **options), context)
    assert said in str(caught.value)
    assert str(caught.value).startswith("--kubernetes: ")


def test_a_world_may_be_told_to_take_one_that_is_elsewhere(tmp_path):
    real = RealCluster.of(kubeconfig(tmp_path), "prod", anywhere=True)
    assert real.kubeconfig()


def test_a_kubeconfig_that_names_another_server_by_now_is_refused(tmp_path):
    real = RealCluster.of(kubeconfig(tmp_path))
    kubeconfig(tmp_path, "https://127.0.0.1:7443")
    with pytest.raises(InputError, match="7443 by now"):
        real.kubeconfig()


def test_what_is_no_kubeconfig_is_refused(tmp_path):
    path = tmp_path / "x"
    for content in ("[1]", "{"):
        path.write_text(content)
        with pytest.raises(InputError):
            RealCluster.of(path)
    with pytest.raises(InputError, match="cannot read"):
        RealCluster.of(tmp_path / "none")


def test_a_world_remembers_its_cluster_and_no_credential(tmp_path):
    real = RealCluster.of(kubeconfig(tmp_path))
    World.create(tmp_path / "world", kubernetes=real).close()
    assert World.open(tmp_path / "world").kubernetes == real
    assert "canary" not in (tmp_path / "world" / "world.json").read_text()
    World.create(tmp_path / "other").close()
    assert World.open(tmp_path / "other").kubernetes is None
