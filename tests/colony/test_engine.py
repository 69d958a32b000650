import json
import os
import threading

import pytest
from tiny_provider import TinyProvider

from colony.engine import Engine, find_cli, passphrase_needed
from jobs.errors import Cancelled, NotReady, ProvisioningFailed, RunFailed, StackLocked

pytestmark = pytest.mark.engine

STACK = "tiny"


@pytest.fixture
def provider():
    provider = TinyProvider()
    yield provider
    provider.stop()


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "stacks").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text(
        "name: colony\nruntime: python\nmain: stacks/\nstackConfigDir: stacks\n"
    )
    (tmp_path / "state").mkdir()
    return folder


@pytest.fixture
def environment(tmp_path, provider):
    return {
        "PATH": os.defpath,
        "HOME": str(tmp_path),
        "PULUMI_HOME": str(tmp_path / "pulumi-home"),
        "PULUMI_CONFIG_PASSPHRASE": "for a test",
        "PULUMI_DEBUG_PROVIDERS": f"tiny:{provider.port}",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
    }


@pytest.fixture
def engine(project, environment, cli):
    engine = Engine(project, f"file://{project.parent}/state", environment, cli, closed=True)
    engine.select(STACK)
    return engine


def things(**props):
    """A program: thing `a`; and, with properties, `b` that has them and `c` that needs `b`."""

    def program():
        import pulumi

        class Thing(pulumi.CustomResource):
            size: pulumi.Output[int]

            def __init__(self, name, props, opts=None):
                super().__init__("tiny:index:Thing", name, {"size": 1, **props}, opts)

        Thing("a", {})
        if not props:
            return
        b = Thing("b", props)
        Thing("c", {}, pulumi.ResourceOptions(depends_on=b))
        pulumi.export("id", b.id)
        pulumi.export("known", 7)
        pulumi.export("kubeconfig", pulumi.Output.secret("hush"))

    return program


def urn(name):
    return f"urn:pulumi:{STACK}::colony::tiny:index:Thing::{name}"


def names(engine):
    resources = engine.export(STACK)["resources"]
    return sorted(r["urn"].rsplit("::", 1)[1] for r in resources if "tiny:index" in r["type"])


def test_up_twice_changes_nothing_and_destroy_ends_with_nothing(engine, provider):
    assert engine.up(STACK, things()).counts == {"create": 2}
    again = engine.up(STACK, things())
    assert not again.any and again.seconds < 60
    assert engine.destroy(STACK).counts == {"delete": 2}
    assert provider.created == provider.deleted == ["a"]
    assert not engine.export(STACK).get("resources")


def test_preview_says_what_up_would_do_and_does_nothing(engine, provider):
    assert engine.preview(STACK, things(x=1)).counts == {"create": 4}
    assert provider.created == []


def test_selecting_makes_a_stack_once_and_removing_takes_it_away(engine):
    assert engine.stacks() == [STACK]
    assert engine.select(STACK) is False
    engine.remove(STACK)
    assert engine.stacks() == []
    assert engine.select(STACK) is True


def test_the_state_and_its_stacks_are_read_as_the_cli_reads_them(engine, provider):
    assert engine.stacks() == [STACK]
    assert engine.export(STACK).get("resources") is None
    engine.up(STACK, things(size=3))
    engine.select("tiny-too")
    listed = json.loads(engine._run("stack", "ls", "--json").stdout)
    shown = json.loads(engine._run("stack", "export", stack=STACK).stdout)
    assert engine.stacks() == [each["name"] for each in listed] == ["tiny", "tiny-too"]
    assert engine.export(STACK) == shown["deployment"]
    assert len(engine.export(STACK)["resources"]) > 2
    for stack in engine.stacks():
        engine.remove(stack, force=True)
    assert engine.stacks() == []


def test_a_stack_that_is_not_there_has_no_state(engine):
    with pytest.raises(RunFailed, match="no stack named"):
        engine.export("another")


def test_config_of_any_size_is_written_and_read_back(engine, project):
    values = {"colony:spec": json.dumps({"a": [1]}), "colony:long": "x" * 300_000}
    engine.configure(STACK, values, {"colony:secrets": '{"TOKEN": "hush"}'})
    assert engine.config(STACK) == {**values, "colony:secrets": '{"TOKEN": "hush"}'}
    assert "hush" not in (project / "stacks" / f"Pulumi.{STACK}.yaml").read_text()


def test_plain_config_is_what_the_cli_shows_of_it_and_is_written_once(engine, project, tmp_path):
    values = {"colony:spec": json.dumps({"a": [1], "b": None}), "colony:text": "yes: # no\n- x"}
    engine.configure(STACK, values)
    path = project / "stacks" / f"Pulumi.{STACK}.yaml"
    path.write_text(path.read_text() + "  colony:map:\n    a: [1, true]\n  colony:number: 7\n")
    shown = json.loads(engine._run("config", "--json", stack=STACK).stdout)
    read = engine.config(STACK)
    assert read == {key: each["value"] for key, each in shown.items()} | {
        "colony:map": '{"a": [1, true]}'
    }
    before = path.stat().st_mtime_ns
    engine.configure(STACK, values)
    assert path.stat().st_mtime_ns == before
    engine.configure(STACK, {**values, "colony:spec": "{}"})
    assert engine.config(STACK) == {**read, "colony:spec": "{}"}


def test_secrets_and_long_values_are_never_arguments(tmp_path, project):
    spy = tmp_path / "spy"
    spy.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/arguments\ncat >> {tmp_path}/input\n')
    spy.chmod(0o755)
    engine = Engine(project, "file:///x", {}, type(find_cli())(spy, "3.255.0", "spy"))
    engine.configure("s", {"colony:spec": "plain", "colony:long": "l" * 200_000}, {"k": "hush"})
    arguments = (tmp_path / "arguments").read_text()
    assert "colony:spec=plain" in arguments
    assert "hush" not in arguments and "lll" not in arguments
    assert "hush" in (tmp_path / "input").read_text()


def test_a_refused_resource_is_named_with_the_providers_own_words(engine):
    with pytest.raises(ProvisioningFailed, match=r"^up failed: b: no capacity$") as caught:
        engine.up(STACK, things(fail="no capacity"))
    assert caught.value.failures == {urn("b"): "no capacity"}
    assert {"b", "c"}.isdisjoint(names(engine))


def test_outputs_are_plain_in_memory_and_secret_in_the_state(engine):
    engine.up(STACK, things(x=1))
    assert engine.outputs(STACK) == {"id": "id-b", "known": 7, "kubeconfig": "hush"}
    assert "hush" not in json.dumps(engine.export(STACK))


def test_what_a_failed_resource_would_have_given_is_absent(engine):
    with pytest.raises(ProvisioningFailed):
        engine.up(STACK, things(fail="no"), continue_on_error=True)
    assert "id" not in engine.outputs(STACK)


def test_an_error_in_the_program_is_told_in_one_line_and_kept_whole(engine):
    def program():
        raise ValueError("the pool has no nodes")

    with pytest.raises(ProvisioningFailed, match="the pool has no nodes") as caught:
        engine.up(STACK, program)
    assert "\n" not in str(caught.value)
    assert "Traceback" in "".join(caught.value.failures.values())


def test_a_failing_listener_is_not_swallowed(engine):
    with pytest.raises(ZeroDivisionError):
        engine.up(STACK, things(), on_event=lambda event: 1 / 0)


def when_waiting(provider, act):
    def wait():
        if provider.waiting.wait(30):
            act()

    threading.Thread(target=wait).start()


def test_an_interrupt_ends_up_gracefully_and_leaves_a_stack_that_can_be_destroyed(engine, provider):
    when_waiting(provider, engine.interrupt)
    with pytest.raises(Cancelled):
        engine.up(STACK, things(wait=1))
    assert engine.locks(STACK) == []
    assert engine.pending(STACK) == []
    engine.destroy(STACK)
    assert sorted(provider.deleted) == sorted(provider.created)


def test_an_operation_past_its_deadline_is_stopped_and_says_so(engine, provider):
    with pytest.raises(ProvisioningFailed, match="up timed out"):
        engine.up(STACK, things(wait=1), timeout=2)
    assert engine.locks(STACK) == []


def replaced(size):
    def program():
        import pulumi

        class Thing(pulumi.CustomResource):
            pass

        first = pulumi.ResourceOptions(delete_before_replace=True, replace_on_changes=["size"])
        Thing("tiny:index:Thing", "a", {"size": size}, first)
        Thing("tiny:index:Thing", "b", {})

    return program


def test_an_engine_that_does_nothing_any_more_after_an_error_is_stopped(engine, provider):
    engine.up(STACK, replaced(1))
    provider.deletes_fail, engine.patience = True, 2
    with pytest.raises(ProvisioningFailed, match="up failed: a: it is still attached") as caught:
        engine.up(STACK, replaced(2), continue_on_error=True, timeout=200)
    assert caught.value.failures[urn("a")] == "it is still attached"
    assert engine.locks(STACK) == []
    provider.deletes_fail = False
    engine.up(STACK, replaced(2), continue_on_error=True)
    assert (provider.deleted, sorted(provider.created)) == (["a"], ["a", "a", "b"])


def test_an_error_does_not_end_the_patience_with_what_is_under_way(engine, provider):
    engine.patience = 1
    threading.Timer(6, provider.released.set).start()
    with pytest.raises(ProvisioningFailed, match="d: no capacity"):
        engine.up(STACK, slow_beside_a_failure(), continue_on_error=True)
    assert "b" in names(engine)


def slow_beside_a_failure():
    def program():
        import pulumi

        class Thing(pulumi.CustomResource):
            pass

        Thing("tiny:index:Thing", "b", {"wait": 1})
        Thing("tiny:index:Thing", "d", {"fail": "no capacity"})

    return program


def test_a_killed_engine_leaves_a_lock_and_a_pending_create_that_can_be_cleared(engine, provider):
    when_waiting(provider, lambda: os.kill(engine.pid, 9))
    with pytest.raises(ProvisioningFailed, match="killed by signal 9"):
        engine.up(STACK, things(wait=1))
    provider.released.set()

    [lock] = engine.locks(STACK)
    assert lock.host and lock.pid and lock.key.endswith(".json")
    assert lock.timestamp > 1.7e9
    with pytest.raises(StackLocked):
        engine.destroy(STACK)

    engine.release(lock)
    assert engine.locks(STACK) == []
    assert (urn("b"), "creating") in [(p.urn, p.operation) for p in engine.clear_pending(STACK)]
    assert engine.pending(STACK) == []
    engine.destroy(STACK)
    assert names_or_none(engine) == []


def test_a_sidecar_that_a_killed_engine_left_half_written_does_no_harm(engine, project):
    engine.up(STACK, things())
    state = project.parent / "state" / ".pulumi" / "stacks" / "colony" / f"{STACK}.json"
    sidecar = state.with_name(f"{state.name}.attrs")
    assert sidecar.read_text().startswith("{")
    for half in ("", '{"user.cache_co'):
        sidecar.write_text(half)
        assert names(engine) == ["a"]
    sidecar.write_text("")
    engine.destroy(STACK)
    assert names_or_none(engine) == []


def test_a_destroy_goes_on_past_a_failure_and_a_second_one_finishes(engine, provider):
    engine.up(STACK, things(x=1))
    provider.deletes_fail = True
    with pytest.raises(ProvisioningFailed, match="still attached") as caught:
        engine.destroy(STACK)
    assert set(caught.value.failures) == {urn("a"), urn("c")}
    provider.deletes_fail = False
    engine.destroy(STACK)
    assert names_or_none(engine) == []


def names_or_none(engine):
    return engine.export(STACK).get("resources", [])


def test_a_wrong_passphrase_is_a_matter_of_this_machine(engine, project, environment, cli):
    engine.up(STACK, things(x=1))
    wrong = environment | {"PULUMI_CONFIG_PASSPHRASE": "another"}
    other = Engine(project, engine.backend_url, wrong, cli, closed=True)
    with pytest.raises(NotReady, match="PULUMI_CONFIG_PASSPHRASE_FILE"):
        other.outputs(STACK)


def test_a_passphrase_may_come_as_a_value_or_a_file():
    assert passphrase_needed({})
    assert not passphrase_needed({"PULUMI_CONFIG_PASSPHRASE": ""})
    assert not passphrase_needed({"PULUMI_CONFIG_PASSPHRASE_FILE": "/x"})


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        ("file:///state", "organization/colony/s"),
        ("s3://bucket", "organization/colony/s"),
        ("https://api.pulumi.com", "s"),
        ("", "s"),
    ],
)
def test_a_self_managed_backend_has_a_fixed_organization(backend, name, project, cli):
    assert Engine(project, backend, {}, cli).qualified("s") == name
