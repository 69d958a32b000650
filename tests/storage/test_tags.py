"""Records as tags of a stack: within their limits, and one value for whoever reads."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colony.storage.base import ABSENT
from colony.storage.tags import KEPT, VALUE_MAX, latest, old, packed, tag_of
from components.lease import Lease
from jobs.errors import RunFailed

NAME = re.compile(r"[a-zA-Z0-9-_.:]{1,40}")
LEASE = ".colony/colony/demo/lease.json"


@settings(max_examples=40, deadline=None)
@given(value=st.dictionaries(st.text(max_size=20), st.text(max_size=60), max_size=20))
def test_any_record_comes_back_and_keeps_the_limits(value):
    data = json.dumps(value).encode()
    tag, parts = packed("clusters", data)
    tags = {**parts, tag_of("clusters", 1): tag}
    assert latest(tags, "clusters") == (1, data)
    assert all(NAME.fullmatch(name) and len(text) <= VALUE_MAX for name, text in tags.items())


def test_a_lease_is_one_tag():
    lease = Lease(
        colony="a-name-as-long-as-names-may-be-1234567",
        stack="a-name-as-long-as-names-may-be-1234567",
        owner="somebody@example.com", created=1767225600, expires=1767312000, budget_usd=1000.5,
        end="colony down a-name-as-long-as-names-may-be-1234567",
    )  # fmt: skip
    assert packed("lease", json.dumps(lease.model_dump(mode="json")).encode())[1] == {}


def test_what_no_tags_could_hold_is_refused_by_name():
    import random

    noise = random.Random(0).randbytes(6000).hex()
    with pytest.raises(RunFailed, match="`completion` is too large"):
        packed("completion", noise.encode())


def test_a_changed_tag_is_an_error_and_no_value():
    tag, parts = packed("clusters", json.dumps({str(n): n * 7919 for n in range(200)}).encode())
    assert len(parts) > 1
    with pytest.raises(RunFailed, match="changed by hand"):
        latest({**dict(list(parts.items())[1:]), tag_of("clusters", 1): tag}, "clusters")


def test_old_versions_go_with_the_parts_that_only_they_name():
    tags = {}
    values = [json.dumps({"v": v, **{str(n): n * 7919 for n in range(150)}}) for v in range(12)]
    for version, value in enumerate(values, 1):
        tag, parts = packed("clusters", value.encode())
        tags |= {**parts, tag_of("clusters", version): tag}
        for each in old(tags, "clusters"):
            del tags[each]
    assert len([tag for tag in tags if tag.startswith("colony.clusters.")]) == KEPT
    assert latest(tags, "clusters") == (12, values[-1].encode())
    assert old(tags, "clusters") == []


@pytest.mark.parametrize("kind", ["cloud"], indirect=True)
def test_the_stacks_own_tags_hold_what_a_reaper_decides_by(kind):
    tags = kind.service.stacks["colony", "demo"]
    tags["pulumi:project"] = "colony"
    storage = kind.open()
    storage.write(LEASE, b'{"n": 1}', ABSENT)
    storage.write(LEASE.replace("lease", "receipt"), b"{}")
    assert tags == {"pulumi:project": "colony", "colony.lease.0001": '={"n": 1}'}


@pytest.mark.parametrize("kind", ["cloud"], indirect=True)
def test_a_stack_that_is_gone_is_remembered_where_it_was_ended(kind):
    storage = kind.open()
    storage.write(LEASE, b'{"n": 1}')
    del kind.service.stacks["colony", "demo"]
    assert storage.read(LEASE).data == b'{"n": 1}'
    assert storage.keys(".colony/colony/") == [LEASE]


@pytest.mark.parametrize("kind", ["cloud"], indirect=True)
def test_a_value_that_is_there_already_makes_no_new_version(kind):
    storage = kind.open()
    for _ in range(3):
        storage.write(LEASE, b'{"n": 1}')
    assert list(kind.service.stacks["colony", "demo"]) == ["colony.lease.0001"]
