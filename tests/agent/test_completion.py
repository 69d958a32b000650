"""Completion: how each kind of job ends, one record, and signals that outlive kills."""

from __future__ import annotations

import json

import pytest
from fake_kube import FakeKube, fake_kube
from receiver import Receiver

from colony.agent.client import Client
from colony.agent.completion import (
    FIRST,
    LONGEST,
    PATIENCE,
    Sight,
    State,
    decide,
    delivered,
    due,
    read_completion,
    write_completion,
)
from colony.agent.completion_keeper import ANNOTATION, CompletionKeeper, Watched
from colony.agent.ending import CANCELLED_BY, Ending, ending
from colony.agent.signals import Signal, Undelivered, deliver, signal_of
from colony.agent.signature import TOLERANCE, Forged, signed, verified


def conditions(*names, status="True"):
    return {"conditions": [{"type": name, "status": status} for name in names]}


JOBSET, JOB = "jobset.x-k8s.io/jobsets", "batch/jobs"
TRAINJOB, MPIJOB = "trainer.kubeflow.org/trainjobs", "kubeflow.org/mpijobs"
VOLCANO, RAYJOB = "batch.volcano.sh/jobs", "ray.io/rayjobs"


@pytest.mark.parametrize(
    "kind, status, outcome",
    [
        (JOBSET, {}, None),
        (JOBSET, {**conditions("StartupPolicyCompleted"), "restarts": 2}, None),
        (JOBSET, conditions("Completed", status="False"), None),
        (JOBSET, conditions("Completed"), "succeeded"),
        (JOBSET, conditions("Failed"), "failed"),
        (JOB, {"failed": 3, "active": 1}, None),
        (JOB, conditions("SuccessCriteriaMet", "FailureTarget"), None),
        (JOB, conditions("Complete"), "succeeded"),
        (JOB, conditions("Complete", "Failed"), "failed"),
        (TRAINJOB, conditions("Suspended"), None),
        (TRAINJOB, conditions("Complete"), "succeeded"),
        (TRAINJOB, conditions("Failed"), "failed"),
        (MPIJOB, conditions("Created", "Running"), None),
        (MPIJOB, conditions("Created", "Succeeded"), "succeeded"),
        (MPIJOB, conditions("Failed"), "failed"),
        (VOLCANO, {"state": {"phase": "Restarting"}}, None),
        (VOLCANO, {"state": {"phase": "Aborting"}}, None),
        (VOLCANO, {"state": {"phase": "Completed"}}, "succeeded"),
        (VOLCANO, {"state": {"phase": "Failed"}}, "failed"),
        (VOLCANO, {"state": {"phase": "Aborted"}}, "failed"),
        (VOLCANO, {"state": {"phase": "Terminated"}}, "failed"),
        (RAYJOB, {"jobDeploymentStatus": "Retrying", "jobStatus": "FAILED"}, None),
        (RAYJOB, {"jobDeploymentStatus": "Running"}, None),
        (RAYJOB, {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}, "succeeded"),
        (RAYJOB, {"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"}, "failed"),
        (RAYJOB, {"jobDeploymentStatus": "Failed", "jobStatus": "FAILED"}, "failed"),
    ],
)
def test_only_the_last_word_of_its_controller_ends_a_job(kind, status, outcome):
    found = ending(kind, {"status": status})
    assert (found and found.outcome) == outcome


@pytest.mark.parametrize(
    "status, outcome", [({}, "cancelled"), (conditions("Completed"), "succeeded")]
)
def test_what_is_marked_as_ended_by_hand_is_cancelled_unless_it_has_ended(status, outcome):
    found = {"metadata": {"annotations": {CANCELLED_BY: "colony cancel"}}, "status": status}
    assert ending(JOBSET, found).outcome == outcome


RUNS, DONE, BAD = Sight("1"), Sight("1", Ending("succeeded")), Sight("1", Ending("failed", "oom"))


@pytest.mark.parametrize(
    "looks, outcome, jobs",
    [
        ([{"a": None}], None, {}),
        ([{"a": RUNS}], None, {"a": ""}),
        ([{"a": DONE, "b": RUNS}], None, {"a": "succeeded", "b": ""}),
        ([{"a": DONE, "b": None}], None, {"a": "succeeded"}),
        ([{"a": DONE, "b": RUNS}, {"a": None, "b": DONE}], "succeeded", None),
        ([{"a": RUNS}, {"a": None}], "lost", None),
        ([{"a": RUNS}, {"a": Sight("2")}], None, {"a": ""}),
        ([{"a": DONE, "b": RUNS}, {"a": DONE, "b": BAD}], "failed", None),
        ([{"a": DONE}, {"a": Sight("2")}], "succeeded", None),
    ],
)
def test_the_record_comes_after_the_last_job_and_stays(looks, outcome, jobs):
    state = State()
    for at, seen in enumerate(looks):
        state = decide(state, seen, float(at))
        state = read_completion(write_completion(state))
    assert (state.record and state.record.outcome) == outcome
    if jobs is not None:
        assert {name: mark.outcome for name, mark in state.jobs.items()} == jobs
    if outcome:
        assert decide(state, dict.fromkeys(state.jobs, BAD), 99.0) == state


def test_a_signal_is_tried_more_and_more_rarely_and_not_for_ever():
    state = decide(State(), {"a": DONE}, 0.0)
    assert due(State(), ["hook"], 0.0) == [], "nothing is told before the record"
    now, tries = 0.0, 0
    while due(state, ["hook"], now):
        state, tries = delivered(state, "hook", now, "answered 500"), tries + 1
        before, now = now, state.signals["hook"].next
        assert FIRST <= now - before <= LONGEST
    assert now > PATIENCE
    assert 100 < tries < 400
    assert due(delivered(state, "hook", 1.0), ["hook"], 2.0) == []


BODY = b'{"id": "1"}'


def test_what_was_signed_with_the_key_is_taken():
    headers = {name.upper(): value for name, value in signed("key", "1", 1000.0, BODY).items()}
    assert verified("key", headers, BODY, 1000.0 + TOLERANCE) == ("1", {"id": "1"})


@pytest.mark.parametrize(
    "key, change, body, now",
    [
        ("other", {}, BODY, 1000.0),
        ("key", {}, BODY + b" ", 1000.0),
        ("key", {"webhook-id": "2"}, BODY, 1000.0),
        ("key", {"webhook-timestamp": "1001"}, BODY, 1000.0),
        ("key", {"webhook-timestamp": "soon"}, BODY, 1000.0),
        ("key", {"webhook-signature": "v1,"}, BODY, 1000.0),
        ("key", {}, BODY, 1001.0 + TOLERANCE),
    ],
)
def test_a_forged_or_old_message_is_refused(key, change, body, now):
    headers = {**signed("key", "1", 1000.0, BODY), **change}
    with pytest.raises(Forged):
        verified(key, headers, body, now)


def test_the_signature_is_that_of_the_standard():
    """The example of the Standard Webhooks libraries."""
    headers = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330.0,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def kube():
    with fake_kube() as server:
        yield server


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_text("secret\n")
    return path


WATCHED = Watched(
    "lab",
    {
        "train": {
            "path": "/apis/jobset.x-k8s.io/v1alpha2",
            "resource": "jobsets",
            "namespace": "default",
            "name": "train",
        }
    },
    "default",
    "colony-agent-completion",
    "colony-agent",
)
WORKLOAD = "/apis/jobset.x-k8s.io/v1alpha2/namespaces/default/jobsets/train"
RECORD = "/api/v1/namespaces/default/configmaps/colony-agent-completion"


class Kills:
    """A clock and a kill: the n-th time that something is done, the process dies instead."""

    def __init__(self, at=None):
        self.at, self.count, self.now = at, 0, 1000.0

    def step(self):
        self.count += 1
        if self.count == self.at:
            raise KeyboardInterrupt


def keeper(kube, signals, kills, monkeypatch):
    client = Client(kube.url)
    for name in ("create", "replace"):
        real = getattr(client, name)

        def around(path, body, real=real):
            kills.step()
            result = real(path, body)
            kills.step()
            return result

        monkeypatch.setattr(client, name, around)

    def sent(signal, colony, record, now):
        assert read_completion(kube.objects[RECORD]["data"]).record == record, "written first"
        kills.step()
        deliver(signal, colony, record, now)
        kills.step()

    return CompletionKeeper(client, WATCHED, signals, print, lambda: kills.now, sent), client


def lived(kube, signals, kills, monkeypatch, turns=8):
    """Restarted after each kill, as a Deployment does."""
    agent, client = keeper(kube, signals, kills, monkeypatch)
    for _ in range(turns):
        try:
            agent.turn()
        except KeyboardInterrupt:
            client.close()
            agent, client = keeper(kube, signals, kills, monkeypatch)
        kills.now += 10
    client.close()


def webhook(receiver, key):
    return Signal("hook", "webhook", key, receiver.url)


@pytest.mark.parametrize("at", [None, *range(1, 11)])
def test_killed_anywhere_there_is_one_record_and_one_signal(kube, receiver, key, at, monkeypatch):
    kube.put(WORKLOAD, {"status": {}})
    kills = Kills(at)
    lived(kube, [webhook(receiver, key)], kills, monkeypatch, turns=2)
    kube.put(WORKLOAD, {"metadata": {"uid": "uid-1"}, "status": conditions("Completed")})
    lived(kube, [webhook(receiver, key)], kills, monkeypatch)
    state = read_completion(kube.objects[RECORD]["data"])
    assert state.record.outcome == "succeeded"
    assert state.signals["hook"].done
    assert kube.objects[RECORD]["metadata"]["annotations"][ANNOTATION] == "succeeded"
    ids = {verified("secret", headers, body, kills.now)[0] for _, _, headers, body in receiver.got}
    assert ids == {state.record.id}
    assert len(receiver.got) <= (1 if at is None else 2), "again only after a kill"


def test_a_receiver_that_fails_is_asked_again_until_it_takes_it(kube, receiver, key, monkeypatch):
    kube.put(WORKLOAD, {"status": conditions("Failed")})
    receiver.answers = [500, 404]
    lived(kube, [webhook(receiver, key)], Kills(), monkeypatch)
    assert len(receiver.got) == 3
    event = json.loads(receiver.got[-1][3])
    assert (event["specversion"], event["data"]["outcome"]) == ("1.0", "failed")


def test_one_signal_that_is_stuck_does_not_hold_up_the_others(kube, receiver, key, monkeypatch):
    kube.put(WORKLOAD, {"status": conditions("Failed")})
    nobody = Signal("nobody", "webhook", key, "http://127.0.0.1:1")
    lived(kube, [nobody, webhook(receiver, key)], Kills(), monkeypatch)
    sent = read_completion(kube.objects[RECORD]["data"]).signals
    assert (sent["hook"].done is None, sent["nobody"].done is None) == (False, True)
    assert sent["nobody"].error


def record():
    return decide(State(), {"train": DONE}, 1000.0).record


def test_github_is_told_by_a_repository_dispatch(receiver, key):
    signal = Signal("ci", "github", key, receiver.url, repository="acme/models")
    deliver(signal, "lab", record(), 1000.0)
    [(method, path, headers, body)] = receiver.got
    assert (method, path) == ("POST", "/repos/acme/models/dispatches")
    assert headers["Authorization"] == "Bearer secret"
    told = json.loads(body)
    assert told["event_type"] == "colony-completed"
    assert told["client_payload"]["outcome"] == "succeeded"


def test_an_object_is_put_where_the_secret_url_says(receiver, tmp_path):
    url = tmp_path / "url"
    url.write_text(f"{receiver.url}/bucket/lab.json?signature=canary")
    deliver(Signal("mark", "object", url), "lab", record(), 1000.0)
    [(method, path, _, body)] = receiver.got
    assert (method, path) == ("PUT", "/bucket/lab.json?signature=canary")
    assert json.loads(body)["colony"] == "lab"
    receiver.answers = [403]
    with pytest.raises(Undelivered) as failed:
        deliver(Signal("mark", "object", url), "lab", record(), 1000.0)
    assert "canary" not in str(failed.value)


def test_the_operator_gets_one_update_however_often_it_is_told(kube, key):
    signal = Signal("end", "update", key, kube.url, namespace="ops", object="lab-workspace")
    for _ in range(2):
        deliver(signal, "lab", record(), 1000.0)
    [made] = [each for path, each in kube.objects.items() if "/updates/" in path]
    assert (made["spec"]["type"], made["spec"]["workspaceName"]) == ("destroy", "lab-workspace")
    assert made["spec"]["stackName"] == "lab"


def test_a_stack_of_the_operator_is_deleted_once(kube: FakeKube, key):
    path = "/apis/pulumi.com/v1/namespaces/ops/stacks/lab"
    kube.put(path, {})
    signal = Signal("end", "stack", key, kube.url, namespace="ops", object="lab")
    for _ in range(2):
        deliver(signal, "lab", record(), 1000.0)
    assert path not in kube.objects


def test_a_kind_of_signal_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="pigeon"):
        signal_of({"name": "x", "kind": "pigeon", "secret": "/x"})
