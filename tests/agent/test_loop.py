"""The agent against an API server: what it asks, what it writes, and that it may die anywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from elastic_world import SPEC
from fake_kube import FakeKube, fake_kube, ready

from colony.agent.client import ApiError, Client, Unreachable
from colony.agent.codec import read_state, write_request, write_state
from colony.agent.loop import Agent, ElasticJob
from colony.agent.model import Request, State
from components.agent_bundle import LIMIT, build_zipapp

JOB = ElasticJob("team", "demo")
PREFIX = "/api/v1/namespaces/team"
LIVE, WANTED = f"{PREFIX}/configmaps/demo-elastic", f"{PREFIX}/configmaps/demo-elastic-spec"
WORKLOAD = "/apis/batch/v1/namespaces/team/jobs/demo"
LAUNCHER = f"{PREFIX}/pods/demo-launcher"


class Killed(BaseException):
    """kill -9."""


class Mortal(Client):
    """Dies after so many writes, before or after the server has heard of the last."""

    lives = 10**9
    after = True

    def _ask(self, method: str, *args: Any, **more: Any) -> dict[str, Any]:
        if method == "GET":
            return super()._ask(method, *args, **more)
        self.lives -= 1
        if self.lives < 0 and not self.after:
            raise Killed
        answer = super()._ask(method, *args, **more)
        if self.lives < 0:
            raise Killed
        return answer


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def kube() -> Iterator[FakeKube]:
    with fake_kube() as server:
        template = {
            "metadata": {"labels": {"colony.dev/job": "demo", "colony.dev/role": "worker"}},
            "spec": {"containers": [{"name": "trainer", "env": [{"name": "A", "value": "1"}]}]},
        }
        workload = {"path": "/apis/batch/v1", "resource": "jobs", "name": "demo"}
        spec = replace(SPEC, start=2, template=template, workload=workload)
        server.put(WANTED, {"data": {"spec": json.dumps(asdict(spec))}})
        server.put(WORKLOAD, {"spec": {}})
        server.put(f"{PREFIX}/services/demo", {})
        labels = {"colony.dev/job": "demo", "colony.dev/role": "launcher"}
        server.put(LAUNCHER, {"metadata": {"labels": labels}, "status": ready("t1")})
        yield server


class Life:
    """The agent, restarted when it was killed, and a cluster that goes on."""

    def __init__(self, kube: FakeKube, tmp_path: Path) -> None:
        self.kube, self.clock, self.said = kube, Clock(), list[str]()
        self.token = tmp_path / "token"
        self.token.write_text("secret\n")
        self.heard = "0"
        self.client = Mortal(kube.url)
        self.start()

    def start(self, lives: int = 10**9, after: bool = True) -> None:
        self.client.close()
        self.client = Mortal(self.kube.url, token=self.token)
        self.client.lives, self.client.after = lives, after
        self.agent = Agent(self.client, [JOB], self.said.append, self.clock)

    def go(self, turns: int = 12) -> None:
        for _ in range(turns):
            try:
                self.agent.turn(JOB)
            except Killed:
                self.start()
            self.clock.now += 1
            self.kube.settle()
            self.launch()

    def launch(self) -> None:
        """The launcher's readiness, as elastic.sh makes it."""
        live, pod = self.kube.objects.get(LIVE), self.kube.objects[LAUNCHER]
        generation = live["data"]["generation"].strip() if live else self.heard
        if generation != self.heard:
            self.heard = generation
            self.kube.put(LAUNCHER, {**pod, "status": {"phase": "Running"}})
        elif "conditions" not in pod["status"]:
            self.kube.put(LAUNCHER, {**pod, "status": ready(f"t{self.clock.now}")})

    def ask(self, request: Request) -> None:
        live = self.kube.objects[LIVE]
        self.kube.put(LIVE, {**live, "data": write_request(live["data"], request)})

    @property
    def state(self) -> State:
        return read_state(self.kube.objects[LIVE]["data"])

    @property
    def workers(self) -> list[str]:
        return sorted(name for name in self.kube.pods() if "worker" in name)


@pytest.fixture
def life(kube: FakeKube, tmp_path: Path) -> Iterator[Life]:
    begun = Life(kube, tmp_path)
    yield begun
    begun.client.close()


def whole_story(life: Life) -> None:
    life.go()
    life.ask(Request("r1", "out", count=1))
    life.go()
    life.ask(Request("r2", "in", names=["worker-1"]))
    life.go(16)


def test_a_job_grows_and_shrinks_by_name(life: Life) -> None:
    whole_story(life)
    assert life.workers == ["demo-worker-0", "demo-worker-2"]
    data = life.kube.objects[LIVE]["data"]
    assert data["hosts"] == "demo-worker-0.demo:2\ndemo-worker-2.demo:2\n"
    assert data["hostfile"] == "demo-worker-0.demo slots=2\ndemo-worker-2.demo slots=2\n"
    assert [(e.id, e.outcome) for e in life.state.history] == [("r1", "done"), ("r2", "done")]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("write", range(16))
def test_killed_at_any_write_the_story_ends_the_same(life: Life, write: int, after: bool) -> None:
    life.start(lives=write, after=after)
    whole_story(life)
    assert life.client.lives > 10**6, "it was not killed"
    assert life.workers == ["demo-worker-0", "demo-worker-2"]
    assert [(e.id, e.outcome) for e in life.state.history] == [("r1", "done"), ("r2", "done")]
    assert life.state.high_water == 3


def test_the_worker_pods_have_their_own_name_index_and_owner(life: Life) -> None:
    life.go(2)
    pod = life.kube.pods()["demo-worker-1"]
    assert pod["spec"]["hostname"] == "demo-worker-1"
    assert pod["spec"]["subdomain"] == "demo"
    env = pod["spec"]["containers"][0]["env"]
    assert env == [{"name": "COLONY_POD_INDEX", "value": "1"}, {"name": "A", "value": "1"}]
    owner = pod["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("ConfigMap", "demo-elastic-spec")
    assert owner["uid"] == life.kube.objects[WANTED]["metadata"]["uid"]


def test_nothing_is_written_while_nothing_changes(life: Life) -> None:
    life.go(20)
    life.kube.writes.clear()
    life.go(10)
    assert life.kube.writes == []


def test_a_request_that_comes_in_between_is_not_lost(life: Life) -> None:
    life.go()
    life.ask(Request("r1", "out", count=1))
    real = life.client.replace

    def late(path: str, body: dict[str, Any]) -> None:
        life.client.replace = real  # type: ignore[method-assign]
        life.ask(Request("r2", "out", count=1))
        real(path, body)

    life.client.replace = late  # type: ignore[method-assign]
    life.go(1)
    assert len(life.workers) == 2, "nothing is done that could not be written down"
    life.go(20)
    assert [e.id for e in life.state.history] == ["r1", "r2"]
    assert len(life.workers) == 4


def test_the_end_of_the_job_removes_everything_but_the_launcher(life: Life) -> None:
    life.go()
    done = {"conditions": [{"type": "Complete", "status": "True"}]}
    life.kube.put(WORKLOAD, {"spec": {}, "status": done})
    life.go(5)
    assert sorted(life.kube.pods()) == ["demo-launcher"]
    assert LIVE not in life.kube.objects
    assert f"{PREFIX}/services/demo" not in life.kube.objects
    life.kube.writes.clear()
    life.go(3)
    assert life.kube.writes == []


def test_a_new_job_of_the_same_name_has_nothing_of_the_old(life: Life) -> None:
    life.go()
    life.ask(Request("r1", "out", count=1))
    life.go()
    old = life.kube.objects.pop(WANTED)
    life.kube.put(WANTED, {"data": old["data"]})  # another uid: the garbage is not yet collected
    life.go(3)
    assert life.state.target == ["demo-worker-0", "demo-worker-1"]
    assert life.state.hosts == []
    for name in life.workers:  # collected
        life.kube.objects.pop(f"{PREFIX}/pods/{name}")
    life.go(4)
    assert life.state.hosts == life.workers == ["demo-worker-0", "demo-worker-1"]


def test_a_cordoned_node_is_left(life: Life) -> None:
    life.go(4)
    pod = life.kube.pods()["demo-worker-0"]
    life.kube.put(f"{PREFIX}/pods/demo-worker-0", {**pod, "spec": {**pod["spec"], "nodeName": "n"}})
    life.kube.put("/api/v1/nodes/n", {"spec": {"unschedulable": True}})
    life.go(12)
    assert life.workers == ["demo-worker-1"]


def test_without_the_right_to_see_nodes_the_rest_goes_on(life: Life) -> None:
    life.kube.forbidden.add("/api/v1/nodes")
    life.go(3)
    pod = life.kube.pods()["demo-worker-0"]
    life.kube.put(f"{PREFIX}/pods/demo-worker-0", {**pod, "spec": {**pod["spec"], "nodeName": "n"}})
    life.go(3)
    assert len(life.workers) == 2
    assert [line for line in life.said if "may not look at nodes" in line]


def test_one_job_in_trouble_does_not_stop_another(kube: FakeKube, tmp_path: Path) -> None:
    said: list[str] = []
    broken = ElasticJob("team", "broken")
    kube.put(f"{PREFIX}/configmaps/broken-elastic-spec", {"data": {"spec": "{}"}})
    client = Client(kube.url)
    Agent(client, [broken, JOB], said.append).run(0.05, rounds=2)
    client.close()
    assert "team/broken: ValueError" in said[0]
    assert len(said) == len(set(said)), "said once"
    assert LIVE in kube.objects


def test_it_tells_no_from_no_answer(kube: FakeKube) -> None:
    kube.forbidden.add("/api/v1/secrets")
    client = Client(kube.url)
    with pytest.raises(ApiError, match="403: forbidden"):
        client.get("/api/v1/secrets/x")
    client.close()
    with pytest.raises(Unreachable):
        Client("http://127.0.0.1:1", timeout=0.2).get("/api/v1/pods")


def test_the_zipapp_runs_alone_and_is_the_same_each_time(kube: FakeKube, tmp_path: Path) -> None:
    data = build_zipapp()
    assert data == build_zipapp()
    assert len(data) <= LIMIT
    (tmp_path / "agent.pyz").write_bytes(data)
    config = {"jobs": [{"namespace": "team", "name": "demo"}]}
    (tmp_path / "jobs.json").write_text(json.dumps(config))
    command = [
        sys.executable, "-I", "-S", str(tmp_path / "agent.pyz"), "--server", kube.url,
        "--config", str(tmp_path / "jobs.json"), "--interval", "0.05", "--rounds", "2",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={})
    assert done.returncode == 0, done.stderr
    assert "looks after team/demo" in done.stdout
    assert sorted(kube.pods()) == ["demo-launcher", "demo-worker-0", "demo-worker-1"]
    assert kube.objects[LIVE]["data"]["elastic.sh"].startswith("#!/usr/bin/env bash")


def test_a_wrong_setup_is_said_with_its_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "colony.agent", "--config", str(tmp_path / "none.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 78
    assert "none.json" in done.stderr


def test_a_state_survives_its_text() -> None:
    state = State(target=["demo-worker-1"], high_water=2, requests=[Request("x", "out", count=1)])
    assert read_state(write_state(SPEC, state)) == state
