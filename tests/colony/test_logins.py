import pytest

from colony.logins import logins_of
from components.spec import ColonySpec
from jobs.errors import InputError

OURS = {"chart": "mine", "repository": "https://charts.example.com", "version": "1.2.3"}


def spec(enabled=True, **where):
    login = {"username": "bob", **where}
    return ColonySpec(name="lab", layers={"mine": {**OURS, "login": login, "enabled": enabled}})


def test_a_password_comes_from_the_environment_or_a_file(monkeypatch, tmp_path):
    monkeypatch.setenv("CHARTS_PASSWORD", "open sesame")
    path = tmp_path / "password"
    path.write_text(" from a file\n")
    by_env, by_file = spec(password_env="CHARTS_PASSWORD"), spec(password_file=str(path))
    assert logins_of(by_env, simulated=False) == {"mine": "open sesame"}
    assert logins_of(by_file, simulated=False) == {"mine": " from a file"}
    assert logins_of(spec(False, password_env="NOBODY"), simulated=False) == {}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"password_env": "CHARTS_PASSWORD"}, "password_env: CHARTS_PASSWORD is not set"),
        ({"password_file": "FOLDER/missing"}, "password_file: cannot read"),
        ({"password_file": "FOLDER/empty"}, "is empty"),
    ],
)
def test_a_password_that_is_nowhere_is_named_by_its_path(where, said, tmp_path):
    (tmp_path / "empty").write_text("\n")
    found = {key: value.replace("FOLDER", str(tmp_path)) for key, value in where.items()}
    with pytest.raises(InputError, match=r"layers\.mine\.login") as caught:
        logins_of(spec(**found), simulated=False)
    assert said in str(caught.value)
    assert logins_of(spec(**found), simulated=True) == {"mine": "rehearsed"}
