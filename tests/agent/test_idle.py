"""When a cluster is idle: by a clock of the test, against an API server, over restarts."""

from __future__ import annotations

import json

import pytest
from fake_kube import FakeKube, fake_kube

from colony.agent.client import Client
from colony.agent.idle import (
    Activity,
    IdleSpec,
    IdleState,
    decide,
    read_idle,
    write_idle,
)
from colony.agent.idle_keeper import IdleKeeper, Place
from colony.agent.loop import Agent
from components.agent import NAME, agent_manifests
from components.idle_spec import Idle
from components.images import NAME as IMAGES
from jobs.spec import Job

BUSY, QUIET, GUEST = Activity(jobs=2), Activity(), Activity(others=1)
BOTH = {"stop": 600.0, "delete": 3600.0}


@pytest.mark.parametrize(
    "mode, timers, looks, signals",
    [
        ("jobs", BOTH, [(0, QUIET), (599, QUIET), (600, QUIET), (3600, QUIET)], "-,-,stop,delete"),
        (
            "jobs",
            BOTH,
            [(0, BUSY), (5000, BUSY), (5001, QUIET), (5600, QUIET), (5601, QUIET)],
            "-,-,-,-,stop",
        ),
        (
            "jobs",
            BOTH,
            [(0, QUIET), (600, QUIET), (700, BUSY), (800, QUIET), (1399, QUIET)],
            "-,stop,-,-,-",
        ),
        ("jobs", BOTH, [(0, GUEST), (600, GUEST)], "-,stop"),
        ("jobs_and_ssh", BOTH, [(0, GUEST), (600, GUEST), (9999, GUEST)], "-,-,-"),
        (
            "jobs_and_ssh",
            BOTH,
            [
                (0, QUIET),
                (700, Activity(session=690.0)),
                (1000, Activity(session=690.0)),
                (1600, Activity(session=690.0)),
            ],
            "-,-,-,stop",
        ),
        ("jobs", BOTH, [(0, QUIET), (700, Activity(session=690.0))], "-,stop"),
        ("none", BOTH, [(0, BUSY), (600, BUSY), (3600, BUSY)], "-,stop,delete"),
        (
            "none",
            {"delete": 10.0},
            [(0, BUSY), (9, BUSY), (10, BUSY), (20, QUIET)],
            "-,-,delete,delete",
        ),
        ("jobs", {"stop": 0.0}, [(0, BUSY), (1, QUIET)], "-,stop"),
        ("jobs", {"delete": 60.0}, [(0, QUIET), (60, QUIET), (61, BUSY)], "-,delete,delete"),
        (
            "jobs",
            {"delete": 600.0},
            [(0, QUIET), (590, Activity(ended=580.0)), (601, Activity(ended=580.0)), (1180, QUIET)],
            "-,-,-,delete",
        ),
        ("jobs", {"delete": 600.0}, [(1000, QUIET), (500, QUIET), (1600, QUIET)], "-,-,delete"),
    ],
)
def test_the_timers(mode, timers, looks, signals):
    spec, state, seen = IdleSpec(mode, **timers), None, []
    for now, activity in looks:
        state = decide(spec, state, activity, now)
        state = read_idle(write_idle(state))
        seen.append(state.signal or "-")
    assert ",".join(seen) == signals


def test_a_state_that_is_not_ours_is_refused():
    with pytest.raises(ValueError, match="unknown signal 'explode'"):
        read_idle({"signal": "explode"})


PODS = "/api/v1/namespaces/team/pods"
STATE = "/api/v1/namespaces/team/configmaps/colony-agent-idle"
OWNER = "/api/v1/namespaces/team/configmaps/colony-agent"
PLACE = Place(("team", "other"), "team", "colony-agent-idle", "colony-agent")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def kube():
    with fake_kube() as server:
        server.put(OWNER, {"data": {}})
        yield server
        for client in CLIENTS:
            client.close()
        CLIENTS.clear()


CLIENTS = []


def client_of(kube):
    CLIENTS.append(Client(kube.url, None, None))
    return CLIENTS[-1]


def keeper(kube, clock, said, spec=None):
    client = client_of(kube)
    return IdleKeeper(client, spec or IdleSpec("jobs", 600.0, 3600.0), PLACE, said.append, clock)


def pod(kube, name, job="train", phase="Running", **status):
    labels = {"colony.dev/job": job} if job else {}
    path = f"{PODS}/{name}"
    kube.put(path, {"metadata": {"labels": labels}, "status": {"phase": phase, **status}})
    return path


def state(kube) -> IdleState:
    return read_idle(kube.objects[STATE]["data"])


def test_timers_outlive_every_restart(kube: FakeKube):
    clock, said = Clock(), []
    running = pod(kube, "train-0")
    keeper(kube, clock, said).turn()
    assert state(kube) == IdleState()
    del kube.objects[running]
    for _ in range(36):  # a new agent every 100 s
        keeper(kube, clock, said).turn()
        clock.now += 100
    assert state(kube).signal == "stop"
    keeper(kube, clock, said).turn()
    assert state(kube) == IdleState(since=1000.0, signal="delete", at=4600.0)
    assert said == ["idle: nothing runs", "idle: asks to stop", "idle: asks to delete"]


def test_nothing_is_written_while_nothing_changes(kube: FakeKube):
    clock = Clock()
    looking = keeper(kube, clock, [])
    for _ in range(50):
        looking.turn()
        clock.now += 10
    assert kube.writes == [("POST", STATE.rpartition("/")[0])]


def test_what_ended_while_nobody_looked_was_not_idle(kube: FakeKube):
    clock = Clock()
    keeper(kube, clock, []).turn()
    ended = {"state": {"terminated": {"finishedAt": "1970-01-01T00:30:00Z"}}}
    pod(kube, "train-0", phase="Succeeded", containerStatuses=[ended])
    clock.now = 2000.0
    keeper(kube, clock, []).turn()
    assert state(kube).since == 1800.0


def test_its_state_goes_with_the_agent_and_what_is_ours_is_no_guest(kube: FakeKube):
    """The agent, and what pulls the jobs' images on each node: they never end."""
    clock = Clock()
    for name in (NAME, IMAGES):
        own = {"metadata": {"labels": {"app.kubernetes.io/name": name}}}
        kube.put(f"{PODS}/{name}-x", {**own, "status": {"phase": "Running"}})
    keeper(kube, clock, [], IdleSpec("jobs_and_ssh", delete=60.0)).turn()
    (owner,) = kube.objects[STATE]["metadata"]["ownerReferences"]
    assert owner["uid"] == kube.objects[OWNER]["metadata"]["uid"]
    assert state(kube).since == clock.now


def test_a_session_that_gives_signs_of_life_is_kept_when_the_timers_are_written(kube: FakeKube):
    clock, spec = Clock(), IdleSpec("jobs_and_ssh", delete=600.0)
    keeper(kube, clock, [], spec).turn()
    kube.objects[STATE]["data"]["session"] = "1500"
    clock.now = 1700.0
    keeper(kube, clock, [], spec).turn()
    assert state(kube).signal == ""
    assert kube.objects[STATE]["data"]["session"] == "1500"


def test_a_trouble_is_said_once_and_does_not_end_the_agent(kube: FakeKube):
    clock, said = Clock(), []
    kube.forbidden.add(PODS)
    client = client_of(kube)
    looking = keeper(kube, clock, said)
    looking._looked = float("-inf")
    agent = Agent(client, [], said.append, beside=[looking])
    agent._look_beside(looking)
    clock.now += 10
    agent._look_beside(looking)
    assert len(said) == 1
    assert "403" in said[0]


def test_a_colony_without_elastic_jobs_has_an_agent_that_may_only_look():
    manifests = agent_manifests(
        "colony-agent", "c", {"team": [Job(name="train")]}, idle=Idle(delete=600)
    )
    kinds = [each["kind"] for each in manifests]
    assert kinds == ["ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Deployment"]
    role = manifests[1]
    pods = [rule["verbs"] for rule in role["rules"] if rule["resources"] == ["pods"]]
    assert pods == [["list"]]
    config = json.loads(manifests[3]["data"]["jobs.json"])
    assert config["idle"] == {
        "wait_for": "jobs_and_ssh", "delete": 600, "namespaces": ["team"], "namespace": "team",
        "name": "colony-agent-idle", "owner": "colony-agent",
    }  # fmt: skip


def test_without_idle_nothing_changes():
    assert agent_manifests("colony-agent", "c", {"team": [Job(name="train")]}) == []
