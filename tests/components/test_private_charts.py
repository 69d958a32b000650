"""Charts behind a login: the file says where the password is, and nothing says what it is."""

import json

import pytest
from pydantic import ValidationError
from recording import inputs

from components.layer_spec import LayerChoice

CANARY = "canary-7f2d"
OURS = {"chart": "mine", "repository": "https://charts.example.com", "version": "1.2.3"}
LOGIN = {"username": "bob", "password_env": "CHARTS_PASSWORD"}
SECRET = "1b47061264138c4ac30d75fd1eb44270"
SIGNATURE = "4dabf18193072939515e22adb298388d"


def recorded(record, **more):
    return record(
        spec={"layers": {"mine": {**OURS, "login": LOGIN}}}, logins={"mine": CANARY}, **more
    )


def test_the_password_is_a_secret_of_the_release(record):
    release = recorded(record).one("kubernetes:helm.sh/v3:Release", "demo-main-mine")
    found = inputs(release)["repositoryOpts"]
    assert (found["repo"], found["username"]) == ("https://charts.example.com", "bob")
    assert found["password"] == {SIGNATURE: SECRET, "value": CANARY}


def test_nothing_else_knows_the_password(record):
    recording = recorded(record)
    for request in recording.requests:
        if request.name != "demo-main-mine":
            assert CANARY not in json.dumps(inputs(request)), request.name
    assert CANARY not in json.dumps(recording.outputs)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"login": {"username": "bob"}}, "one of them is required"),
        ({"login": {**LOGIN, "password_file": "x"}}, "one of them is required"),
        ({"login": {**LOGIN, "password": CANARY}}, "password"),
        ({"chart": "oci://x.io/mine", "repository": None, "login": LOGIN},
         "helm registry login x.io"),
        ({"chart": None, "repository": None, "login": LOGIN}, "only with `chart`"),
    ],
)  # fmt: skip
def test_a_login_is_where_it_can_have_an_effect(changes, said):
    with pytest.raises(ValidationError, match=said):
        LayerChoice.model_validate({**OURS, **changes})
