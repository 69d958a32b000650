"""`colony scale`: what it asks of the agent, and what it makes of the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from elastic_world import SPEC, World
from fake_kube import FakeKube, fake_kube
from typer.testing import CliRunner

from colony.agent.codec import read_state, write_state
from colony.agent.model import Request, Workload
from colony.cli import scale as commands
from colony.cli.app import app
from colony.kubeapi import KubeApi
from colony.scaling import Clock, LiveJob, scale
from colony.storage.folder import Folder
from jobs.errors import Cancelled, ColonyError, InputError, NotReady, RunFailed

PREFIX = "/api/v1/namespaces/team/configmaps"
LIVE = f"{PREFIX}/demo-elastic"


@dataclass
class Cluster:
    """An agent that works each time the command waits."""

    kube: FakeKube
    world: World = field(default_factory=lambda: World(spec=replace(SPEC, start=3)))
    there: bool = True
    now: float = 0.0
    said: list[str] = field(default_factory=list)
    hook: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.kube.put(f"{PREFIX}/demo-elastic-spec", {"data": {"spec": json.dumps(asdict(SPEC))}})
        self.world.live(10)
        self.publish()

    def publish(self) -> None:
        if self.world.state is None:
            self.kube.objects.pop(LIVE, None)
        else:
            self.kube.put(LIVE, {"data": write_state(SPEC, self.world.state)})

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.hook()
        if self.there:
            self.world.state = read_state(self.kube.objects[LIVE]["data"])
            self.world.turn()
            self.world.pass_time()
            self.publish()

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.wait)

    @property
    def kubeconfig(self) -> str:
        named = {"name": "x", "cluster": {"server": self.kube.url}}
        context = {"name": "x", "context": {"cluster": "x", "user": "x"}}
        return json.dumps(
            {"clusters": [named], "contexts": [context], "current-context": "x",
             "users": [{"name": "x", "user": {}}]}
        )  # fmt: skip

    def scale(self, kind: str, count: int | None = None, **more: Any) -> Any:
        live = LiveJob(KubeApi(self.kubeconfig), "team", "demo")
        return scale(live, Request("me", kind, count=count, **more), self.said.append, self.clock)

    @property
    def queued(self) -> list[str]:
        return [each.id for each in read_state(self.kube.objects[LIVE]["data"]).requests]


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with fake_kube() as kube:
        yield Cluster(kube)


def test_it_waits_until_it_is_done_and_says_how_it_goes(cluster: Cluster) -> None:
    outcome = cluster.scale("out", 2)
    assert outcome.names == ["demo-worker-3", "demo-worker-4"]
    assert cluster.world.hosts == [0, 1, 2, 3, 4]
    assert cluster.said[0] == "asked"
    assert "starting demo-worker-3, demo-worker-4" in cluster.said


@pytest.mark.parametrize(
    ("kind", "names", "error", "said"),
    [
        ("in", ["worker-7"], InputError, "refused: no worker is called demo-worker-7"),
        ("in", ["worker-0", "worker-0"], InputError, "refused: a name is given twice"),
    ],
)
def test_a_refusal_is_wrong_input(
    cluster: Cluster, kind: str, names: list[str], error: type[ColonyError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        cluster.scale(kind, names=names)
    assert caught.value.exit_code == 2


def test_a_scaling_that_failed_is_a_failure(cluster: Cluster) -> None:
    cluster.world.room = 3
    with pytest.raises(RunFailed, match="nothing was changed: not all were running in time"):
        cluster.scale("out", 1)
    assert cluster.world.alive == [0, 1, 2]


def test_nobody_there_is_said_and_the_request_is_taken_back(cluster: Cluster) -> None:
    cluster.there = False
    with pytest.raises(NotReady, match="the agent does not answer"):
        cluster.scale("out", 1)
    assert 30 <= cluster.now <= 35
    assert cluster.queued == []


def test_an_interrupt_takes_back_what_was_not_begun(cluster: Cluster) -> None:
    cluster.there = False

    def interrupt() -> None:
        raise KeyboardInterrupt

    cluster.hook = interrupt
    with pytest.raises(Cancelled):
        cluster.scale("out", 1)
    assert cluster.queued == []


def test_a_job_that_ends_meanwhile_is_said(cluster: Cluster) -> None:
    def end() -> None:
        cluster.world.workload = Workload(finished=True)

    cluster.hook = end
    with pytest.raises(RunFailed, match="demo has ended"):
        cluster.scale("out", 1)


def test_a_job_that_is_not_elastic_is_wrong_input(cluster: Cluster) -> None:
    cluster.kube.objects.clear()
    with pytest.raises(InputError, match="is not an elastic job"):
        cluster.scale("out", 1)


# --- the command ----------------------------------------------------------------------------


class Engine:
    def __init__(self) -> None:
        self.written: dict[str, str] = {}
        self.log: list[str] = []

    def stacks(self) -> list[str]:
        return ["lab"]

    def outputs(self, stack: str) -> dict[str, Any]:
        place = {"cluster": "main", "namespace": "team", "name": "demo"}
        return {"jobs": {"demo": place}}

    def config(self, stack: str) -> dict[str, str]:
        return dict(self.written)

    def configure(self, stack: str, values: dict[str, str]) -> None:
        self.written.update(values)
        self.log.append(values["colony:scale"])


@pytest.fixture
def engine(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    """The command on a colony `lab`, whose job `demo` is in the cluster."""
    found = Engine()
    real = SimpleNamespace(kubeconfig=lambda: cluster.kubeconfig)
    ground = SimpleNamespace(
        engine=found, root=tmp_path, storage=Folder(tmp_path), simulated=True, real=real
    )

    @contextmanager
    def ground_of(_world: Path | None) -> Iterator[Any]:
        yield ground

    monkeypatch.setattr(commands, "ground_of", ground_of)
    monkeypatch.setattr(commands.time, "sleep", cluster.wait)
    monkeypatch.setattr(commands.time, "monotonic", lambda: cluster.now)
    return found


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["scale", *words])
    error = result.exception
    code = error.exit_code if isinstance(error, ColonyError) else result.exit_code
    return code, result.output + str(error or "")


def test_the_stack_config_is_written_first(engine: Engine, cluster: Cluster) -> None:
    seen: list[str] = []
    cluster.hook = lambda: seen.append(engine.written.get("colony:scale", ""))
    code, said = run("out", "lab/demo", "--count", "2", "--timeout", "2m")
    assert (code, seen[0]) == (0, '{"demo": 5}')
    assert "demo: demo-worker-0, demo-worker-1, demo-worker-2, demo-worker-3, demo-worker-4" in said
    code, _ = run("in", "lab/demo", "--names", "worker-0,demo-worker-4")
    assert engine.log == ['{"demo": 5}', '{"demo": 3}']
    assert cluster.world.hosts == [1, 2, 3]


def test_a_failure_takes_the_stack_config_back(engine: Engine, cluster: Cluster) -> None:
    cluster.world.room = 3
    code, said = run("out", "lab/demo", "--count", "1")
    assert code == 1, said
    assert engine.log == ['{"demo": 4}', "{}"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["out", "lab/demo", "--count", "9"], "there would be 12 workers, and max is 9"),
        (["in", "lab/demo", "--count", "3"], "min is 1"),
        (["in", "lab/demo", "--names", "worker-9"], "no worker is called demo-worker-9"),
        (["in", "lab/demo"], "give either --count or --names"),
        (["in", "lab/demo", "--count", "1", "--names", "a"], "give either --count or --names"),
        (["in", "lab", "--count", "1"], "names no job of a colony"),
        (["in", "lab/other", "--count", "1"], "lab has no job `other`"),
        (["in", "moon/demo", "--count", "1"], "no colony is called `moon`"),
        (["out", "lab/demo", "--count", "1", "--timeout", "soon"], "--timeout"),
        (["out", "lab/demo", "--count", "1", "--script", "/nowhere"], "--script"),
        ([], "Usage"),
    ],
)
def test_wrong_input_changes_nothing(
    engine: Engine, cluster: Cluster, words: list[str], said: str
) -> None:
    code, output = run(*words)
    assert (code, said in output) == (2, True), output
    assert engine.log == cluster.queued == []


def test_files_of_the_et_operator_are_done_in_order(
    engine: Engine, cluster: Cluster, tmp_path: Path
) -> None:
    file = tmp_path / "scale.yaml"
    file.write_text(
        "apiVersion: kai.alibabacloud.com/v1alpha1\nkind: ScaleOut\nmetadata: {name: a}\n"
        "spec: {selector: {name: demo}, timeout: 30, toAdd: {count: 1}}\n---\n"
        "apiVersion: kai.alibabacloud.com/v1alpha1\nkind: ScaleIn\nmetadata: {name: b}\n"
        "spec: {selector: {name: demo}, toDelete: {podNames: [demo-worker-0]}}\n"
    )
    code, said = run("-f", str(file), "--format", "json")
    assert code == 0, said
    assert cluster.world.hosts == [1, 2, 3]
