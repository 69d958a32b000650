"""Whatever is asked, dies, is taken away or killed, in any order: what must always hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from elastic_world import SPEC, World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colony.agent.model import Workload

COUNTS = st.integers(min_value=-1, max_value=6)
INDICES = st.integers(min_value=0, max_value=12)
STEPS = st.one_of(
    st.tuples(st.just("out"), COUNTS),
    st.tuples(st.just("in"), COUNTS),
    st.tuples(st.just("names"), st.lists(INDICES, max_size=3)),
    st.tuples(st.just("die"), st.tuples(INDICES, st.sampled_from([0, 1, 137, None]))),
    st.tuples(st.just("evict"), INDICES),
    st.tuples(st.just("drain"), INDICES),
    st.tuples(st.just("room"), st.integers(min_value=0, max_value=9)),
    st.tuples(st.just("suspend"), st.booleans()),
    st.tuples(st.just("launching"), st.booleans()),
    st.tuples(st.just("answers"), st.booleans()),
    st.tuples(st.just("launcher"), st.sampled_from(["demo-launcher", "another"])),
    st.tuples(st.just("killed"), st.integers(min_value=0, max_value=4)),
    st.tuples(st.just("script"), COUNTS),
    st.tuples(st.just("live"), st.integers(min_value=1, max_value=90)),
)
SPECS = st.builds(
    lambda low, more, extra, restart, grow: replace(
        SPEC, min=low, start=low + more, max=low + more + extra, restart=restart, grow=grow,
        timeout=20,
    ),
    st.integers(1, 3), st.integers(0, 2), st.integers(0, 3),
    st.sampled_from(["Never", "OnFailure", "Always", "ExitCode"]), st.booleans(),
)  # fmt: skip


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=SPECS, steps=st.lists(STEPS, max_size=25))
def test_it_always_holds_and_settles(spec: Any, steps: list[tuple[str, Any]]) -> None:
    world = World(spec=spec)
    world.live(3)
    for what, value in steps:
        step(world, what, value)  # World checks every decision and every action
        world.turn()
        world.pass_time()
    settle(world)


def step(world: World, what: str, value: Any) -> None:
    if what in ("out", "in", "script", "names"):
        if world.state is not None:
            ask(world, what, value)
    elif what == "die":
        pod = world.pods.get(world.spec.name(value[0]))
        if pod and pod.alive:
            world.die(pod.name, value[1], "Succeeded" if value[1] == 0 else "Failed")
    elif what == "evict":
        pod = world.pods.get(world.spec.name(value))
        if pod:
            world.pods[pod.name] = replace(pod, terminating=True)
    elif what == "drain":
        world.leaving_nodes ^= {f"n{value % 10}"}
    elif what == "suspend":
        world.workload = Workload(suspended=value)
    elif what == "killed":
        world.turn(writes=value)
    elif what == "live":
        world.live(value)
    else:
        setattr(world, what, value)


def ask(world: World, what: str, value: Any) -> None:
    if what == "names":
        world.ask("in", names=[world.spec.name(index) for index in value])
    elif what == "script":
        world.ask("out", value, script="notify")
    else:
        world.ask(what, value)


def settle(world: World) -> None:
    """With room and quiet, everything asked is answered and every host is a target that runs."""
    world.room, world.leaving_nodes, world.workload = 100, set(), Workload()
    world.launching = world.answers = True
    world.live(900, until=lambda: is_settled(world))
    state = world.state
    assert state is not None
    assert state.requests == []
    assert state.scaling is None
    assert not state.departing
    assert world.hosts == world.target
    assert world.alive == world.target
    assert len(world.target) >= min(world.spec.min - state.succeeded, world.spec.max)


def is_settled(world: World) -> bool:
    state = world.state
    assert state is not None
    quiet = not (state.requests or state.scaling or state.departing or state.owed)
    running = state.phase == "Running" and bool(world.target)
    return running and quiet and world.hosts == world.target == world.alive


@pytest.mark.parametrize("writes", range(6))
def test_killed_at_any_write_the_next_one_ends_it_the_same_way(writes: int) -> None:
    world = World(spec=replace(SPEC, start=2))
    world.turn(writes=writes)
    world.live(5)
    assert world.hosts == [0, 1]
    world.ask("out", 2)
    world.turn(writes=writes)
    world.live(5)
    assert world.hosts == [0, 1, 2, 3]
    world.ask("in", names=["worker-1"])
    for _ in range(6):
        world.turn(writes=writes)
        world.pass_time()
    world.live(10)
    assert world.hosts == world.alive == [0, 2, 3]
