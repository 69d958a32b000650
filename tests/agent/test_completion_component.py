"""The agent's config, rights and secrets for completion; what the reaper makes of its record."""

from __future__ import annotations

import json

import pytest
from lifecycle_fakes import FakeAccess
from pydantic import ValidationError

from colony.agent.client import Client
from colony.agent.completion_keeper import completion_keeper_of
from colony.lifecycle import completed as lifecycle
from colony.lifecycle.keeping import outlives
from components.agent import agent_manifests
from components.placement import Placement
from components.signal_spec import Signal
from components.spec import ColonySpec, Teardown
from jobs.spec import Backend, Job

HOOK = {"name": "hook", "kind": "webhook", "url": "https://example.com/x", "secret": "hooks/key"}
CI = {"name": "ci", "kind": "github", "repository": "acme/models", "secret": "tokens/github"}


def job(name, **more):
    return Job.model_validate({"name": name, "run": "true", "framework": "pytorch", **more})


def manifests(signals, **jobs):
    told = None if signals is None else [Signal.model_validate(each) for each in signals]
    found = agent_manifests("colony-agent", "lab", jobs, signals=told)
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def test_it_is_only_there_where_somebody_asks_for_it():
    assert manifests(None, default=[job("train")]) == {}
    assert manifests([]) == {}
    assert manifests([], default=[job("train")])


@pytest.mark.parametrize("backend", list(Backend), ids=lambda each: each.value)
def test_it_may_read_the_object_whose_end_is_the_jobs_and_nothing_else(backend):
    framework = {"mpijob": "mpi", "rayjob": "ray"}.get(backend.value, "pytorch")
    found = manifests([], default=[job("train", backend=backend.value, framework=framework)])
    rules = found["Role", "colony-agent-completion"]["rules"]
    config = json.loads(found["ConfigMap", "colony-agent"]["data"]["jobs.json"])["completion"]
    [where] = config["jobs"].values()
    group, resource = where["path"].split("/")[2], where["resource"]
    assert rules[0] == {"apiGroups": [group], "resources": [resource], "verbs": ["get"],
                        "resourceNames": [where["name"]]}  # fmt: skip
    assert {tuple(rule["resources"]) for rule in rules[1:]} == {("configmaps",)}
    assert all("secrets" not in rule["resources"] for rule in rules)
    assert completion_keeper_of(config, Client("http://127.0.0.1:1"), print)


def test_secrets_are_mounted_by_name_and_stand_nowhere():
    found = manifests([HOOK, CI], default=[job("train")])
    pod = found["Deployment", "colony-agent"]["spec"]["template"]["spec"]
    assert [each["secret"]["secretName"] for each in pod["volumes"][1:]] == ["hooks", "tokens"]
    paths = [each["mountPath"] for each in pod["containers"][0]["volumeMounts"]]
    config = json.loads(found["ConfigMap", "colony-agent"]["data"]["jobs.json"])["completion"]
    for signal in config["signals"]:
        assert any(signal["secret"].startswith(f"{path}/") for path in paths)


@pytest.mark.parametrize(
    "change, path",
    [
        ({"url": ""}, "url"),
        ({"url": "http://example.com"}, "url"),
        ({"secret": "s3cr3t"}, "secret"),
        ({"repository": "a/b"}, "repository"),
        ({"kind": "github"}, "repository"),
        ({"kind": "update"}, "namespace"),
        ({"kind": "pigeon"}, "kind"),
        ({"name": "No Name"}, "name"),
        ({"urll": "x"}, "urll"),
    ],
)
def test_a_signal_that_cannot_be_sent_is_refused_by_path(change, path):
    with pytest.raises(ValidationError) as refused:
        Signal.model_validate({**HOOK, **change})
    assert path in str(refused.value)


def test_two_signals_have_two_names():
    with pytest.raises(ValidationError, match="hook"):
        Teardown.model_validate({"signals": [HOOK, HOOK]})


SPEC = ColonySpec.model_validate(
    {"name": "lab", "jobs": [{"name": "a", "run": "true"}, {"name": "b", "run": "true"}],
     "teardown": {"signals": []}}
)  # fmt: skip


def recorded(outcome, **jobs):
    body = {"id": "1", "outcome": outcome, "at": 5.0, "jobs": jobs, "reason": ""}
    data = {"completion": json.dumps(body)}
    name = {"name": "colony-agent-completion"}
    return FakeAccess({"ConfigMap": [{"metadata": name, "data": data}]})


@pytest.mark.parametrize(
    "east, west, outcomes",
    [
        (recorded("succeeded", a="succeeded"), None, None),
        (recorded("succeeded", a="succeeded"), FakeAccess({"ConfigMap": []}), None),
        (recorded("succeeded", other="succeeded"), recorded("lost", b="lost"), None),
        (recorded("succeeded", a="succeeded"), recorded("lost", b="lost"), ["succeeded", "lost"]),
    ],
)
def test_the_last_cluster_completes_the_colony(east, west, outcomes):
    placement = Placement(clusters=[], jobs={"a": "east", "b": "west"})
    accesses = {"east": east, **({"west": west} if west else {})}
    said = lifecycle._said(SPEC, placement, accesses)
    assert (said and [each["outcome"] for each in said]) == outcomes


@pytest.mark.parametrize(
    "teardown, outcome, kept",
    [
        ({}, "lost", False),
        ({"keep_lost": True}, "lost", True),
        ({"keep_lost": True}, "failed", False),
        ({"when": "success"}, "failed", True),
        ({"when": "success"}, "succeeded", False),
        ({"keep_on_failure": "1h"}, "failed", True),
        ({"when": "never"}, "succeeded", True),
    ],
)
def test_a_lost_job_has_a_policy_of_its_own(teardown, outcome, kept):
    spec = SPEC.model_copy(update={"teardown": Teardown.model_validate(teardown)})
    assert outlives(spec, outcome) is kept
