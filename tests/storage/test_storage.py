"""What every storage must do, whatever is behind it."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colony.storage import s3
from colony.storage.base import ABSENT, Conflict, change
from colony.storage.urls import read_url

LEASE = ".colony/colony/demo/lease.json"
OTHER = ".colony/colony/other/lease.json"
RECEIPT = ".colony/colony/demo/receipts/1767225600.json"


def test_what_was_written_is_read_and_what_was_not_is_nothing(kind):
    storage = kind.open()
    for key in (LEASE, RECEIPT):
        assert storage.read(key) is None
        storage.write(key, b'{"a": 1}')
        assert storage.read(key).data == b'{"a": 1}'
        storage.write(key, b'{"a": 2}')
        assert kind.open().read(key).data == b'{"a": 2}'


def test_a_new_one_is_made_once(kind):
    storage = kind.open()
    storage.write(LEASE, b"{}", ABSENT)
    with pytest.raises(Conflict):
        storage.write(LEASE, b'{"b": 1}', ABSENT)
    assert storage.read(LEASE).data == b"{}"


def test_a_question_starts_nothing_that_goes_on_behind_it(kind, monkeypatch):
    """A thread that still asks when its server is gone disturbs whoever comes next."""
    storage, started, start = kind.open(), [], threading.Thread.start

    def counted(thread):
        if threading.current_thread() is threading.main_thread():
            started.append(thread.name)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", counted)
    storage.write(LEASE, b"{}")
    assert storage.read(OTHER) is None
    assert started == []


def test_who_has_read_an_old_value_does_not_write(kind):
    mine, theirs = kind.open(), kind.open()
    mine.write(LEASE, b'{"n": 0}')
    seen = mine.read(LEASE)
    theirs.write(LEASE, b'{"n": 1}', theirs.read(LEASE).version)
    with pytest.raises(Conflict):
        mine.write(LEASE, b'{"n": 2}', seen.version)
    mine.write(LEASE, b'{"n": 2}', mine.read(LEASE).version)
    assert theirs.read(LEASE).data == b'{"n": 2}'


def test_what_was_deleted_is_not_written_over_and_can_be_made_anew(kind):
    storage = kind.open()
    storage.write(LEASE, b'{"n": 0}')
    seen = storage.read(LEASE)
    storage.delete(LEASE)
    storage.delete(LEASE)
    assert storage.read(LEASE) is None
    assert storage.keys(".colony/colony/demo/") == []
    with pytest.raises(Conflict):
        storage.write(LEASE, b'{"n": 1}', seen.version)
    storage.write(LEASE, b'{"n": 2}', ABSENT)
    assert storage.read(LEASE).data == b'{"n": 2}'
    with pytest.raises(Conflict):
        storage.write(LEASE, b'{"n": 3}', seen.version)


def test_keys_are_listed_by_how_they_begin_however_many(kind):
    storage = kind.open()
    many = [f".colony/colony/demo/receipts/{n}.json" for n in range(10, 18)]
    for key in [*many, LEASE, OTHER]:
        storage.write(key, b"{}")
    assert storage.keys(".colony/colony/demo/receipts/") == many
    assert storage.keys(".colony/colony/") == sorted([*many, LEASE, OTHER])
    assert storage.keys(".colony/colony/de") == sorted([*many, LEASE])
    assert storage.keys(".colony/nobody/") == []


def test_folders_are_named_once_without_what_lies_beside_them(kind):
    storage = kind.open()
    assert storage.folders(".colony/colony/") == []
    for key in (RECEIPT, LEASE, OTHER, ".colony/colony/note.json"):
        storage.write(key, b"{}")
    assert kind.open().folders(".colony/colony/") == ["demo", "other"]
    storage.delete(OTHER)
    assert storage.folders(".colony/colony/") == ["demo"]


def test_lines_come_back_in_order_also_of_two_writers(kind):
    storage, other = kind.open(), kind.open()
    key = ".colony/colony/demo/events.jsonl"
    assert storage.lines(key) == []
    for n in range(5):
        (other if n % 2 else storage).append(key, str(n).encode())
    assert storage.lines(key) == [b"0", b"1", b"2", b"3", b"4"]


def test_of_many_that_change_one_value_at_once_none_is_lost(kind):
    kind.open().write(LEASE, b'{"n": 0}')
    errors = []

    def count():
        storage = kind.open()
        try:
            for _ in range(3):
                change(storage, LEASE, _one_more, tries=200)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert json.loads(kind.open().read(LEASE).data) == {"n": 12}


def _one_more(data):
    return json.dumps({"n": json.loads(data)["n"] + 1}).encode()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["make", "over", "stale", "any", "delete", "read"]),
        st.sampled_from([LEASE, OTHER]),
        st.integers(0, 9),
    ),
    max_size=12,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_any_order_of_writes_is_that_of_a_dict_with_versions(kind, steps):
    storage, model, seen = kind.opened, {}, {}
    for key in (LEASE, OTHER):
        storage.delete(key)
    for step, (do, key, value) in enumerate(steps):
        data = json.dumps({"value": value, "step": step}).encode()
        found = storage.read(key)
        assert (found.data if found else None) == model.get(key)
        version = found.version if found else ABSENT
        if do == "delete":
            storage.delete(key)
            model.pop(key, None)
        elif do == "any":
            storage.write(key, data)
            model[key] = data
        elif do != "read":
            expected = {"make": ABSENT, "over": version, "stale": seen.get(key, version)}[do]
            if expected == version:
                storage.write(key, data, expected)
                model[key] = data
            else:
                with pytest.raises(Conflict):
                    storage.write(key, data, expected)
        if version:
            seen.setdefault(key, version)
    assert {key: storage.read(key).data for key in model} == model


def test_a_backend_says_what_time_it_is_there(kind):
    """Also one whose clock is wrong; moto and a folder have this machine's."""
    there = time.time()
    if kind.service:
        there = kind.service.clock = 1_900_000_000.0
    assert kind.open().now() == pytest.approx(there, abs=30)


def test_a_clock_is_asked_of_the_prefix_alone_which_may_be_all_that_one_may_list(monkeypatch):
    asked = {}

    def listed(**given):
        asked.update(given)
        date = "Fri, 17 Jan 2025 00:00:00 GMT"
        return {"ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    monkeypatch.setattr(s3, "_client", lambda at: SimpleNamespace(list_objects_v2=listed))
    assert s3.S3(read_url("s3://bucket/team")).now() == 1737072000.0
    assert asked["Prefix"] == "team/"
