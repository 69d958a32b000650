"""A reaper whose clock is wrong ends nothing: the backend's clock says so."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from lifecycle_fakes import FakeGround

from colony.cli import colonies
from colony.lifecycle import reap
from colony.lifecycle.clocks import SKEW, check_clock
from jobs.errors import NotReady

NOW = 1_767_225_600.0


def ground(here, there, takes=0.0):
    """This machine's clock, the backend's, and the seconds until that answers."""
    made = FakeGround()
    made.simulated, made.clock = False, here

    def now():
        made.clock += takes
        return there

    made.storage = SimpleNamespace(now=now, url="s3://colonies")
    return made


@pytest.mark.parametrize(
    "off, words", [(SKEW + 2, "62 s ahead of"), (86_400, "ahead of"), (-SKEW - 2, "62 s behind")]
)
def test_a_clock_that_is_wrong_is_refused_by_name(off, words):
    with pytest.raises(NotReady, match=words) as refused:
        check_clock(ground(NOW + off, NOW))
    assert "s3://colonies" in str(refused.value)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize("off", [0, SKEW - 2, 2 - SKEW])
def test_clocks_that_differ_a_little_are_fine(off):
    check_clock(ground(NOW + off, NOW))


def test_an_answer_that_takes_long_is_no_wrong_clock():
    check_clock(ground(NOW, NOW + 100, takes=200))


def test_a_backend_that_does_not_say_its_time_is_not_waited_for():
    check_clock(ground(NOW, None))


def test_a_world_has_its_own_time():
    made = ground(NOW, NOW + 9_999)
    made.simulated = True
    check_clock(made)


@pytest.mark.parametrize("off, looks", [(3_600, 0), (0, 1)])
def test_a_reaper_with_a_wrong_clock_does_not_even_look(monkeypatch, off, looks):
    looked = []
    monkeypatch.setattr(reap, "reap", lambda *_, **__: looked.append(True) or [])
    monkeypatch.setattr(colonies, "ground_of", lambda _: nullcontext(ground(NOW + off, NOW)))
    with pytest.raises(NotReady) if off else nullcontext():
        colonies.reap(None, True, "json", [])
    assert len(looked) == looks
