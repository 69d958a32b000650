"""The way to a world's server, when that goes away."""

import json

import grpc
import pytest

from colony.rehearsal import users
from colony.rehearsal.link import Link
from colony.rehearsal.users import User
from jobs.errors import NotReady, RunFailed


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


def test_the_last_user_is_the_last_whoever_leaves_first(tmp_path):
    three = [User(tmp_path) for _ in range(3)]
    for user in three:
        user.join()
        user.join()
    lasts = []
    for user in three:
        with user.leaving() as last:
            lasts.append(last)
    assert lasts == [False, False, True]


def test_one_who_is_gone_or_only_lets_go_is_not_counted(tmp_path):
    one, two, three = User(tmp_path), User(tmp_path), User(tmp_path)
    for user in (one, two, three):
        user.join()
    del one
    two.leave()
    with three.leaving() as last:
        assert last


def test_nobody_comes_while_the_last_one_ends_the_server(tmp_path, monkeypatch):
    monkeypatch.setattr(users, "SECONDS", 0.0)
    with User(tmp_path).leaving() as last:
        assert last
        with pytest.raises(NotReady, match="ending the world's server"):
            User(tmp_path).join()
    User(tmp_path).join()
