"""The way to a world's server, when that goes away."""

import json

import grpc
import pytest

from colony.rehearsal.link import Link
from jobs.errors import RunFailed


class Failed(grpc.RpcError):
    def __init__(self, code):
        self._code = code

    def code(self):
        return self._code

    def details(self):
        return self._code.name


@pytest.fixture
def link(tmp_path, monkeypatch):
    """Fails with what is in `fails`, one a question, and notes in `started` each start."""
    made = Link(tmp_path)
    made.fails, made.started = [], []

    def call(request, timeout):
        if made.fails:
            raise Failed(made.fails.pop(0))
        return json.dumps({"ok": json.loads(request)["method"]}).encode()

    monkeypatch.setattr(made, "_call", lambda: call)
    monkeypatch.setattr(made, "start", lambda: made.started.append(True))
    return made


@pytest.mark.parametrize("code", ["UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"])
def test_a_server_that_went_away_is_started_and_asked_again(link, code):
    link.fails = [grpc.StatusCode[code]]
    assert link.ask("now") == "now"
    assert link.started == [True]


def test_a_server_that_fails_is_not_asked_again(link):
    link.fails = [grpc.StatusCode.INTERNAL]
    with pytest.raises(RunFailed, match="INTERNAL"):
        link.ask("now")
    assert link.started == []
