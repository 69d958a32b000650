"""How Helm is called, by a stand-in that writes down what it is given."""

import threading

import pytest

from colony.rehearsal.calls import Refusal
from colony.rehearsal.helm import Helm

PASSWORD = "canary-7f2d"
RECORDER = """\
#!/bin/sh
echo "$@" >> {folder}/argv
env >> {folder}/env
case "$1 $2" in
"repo add") cat >> {folder}/stdin; for a in "$@"; do case $a in --repository-config=*)
  echo kept > "${{a#*=}}";; esac; done;;
template*) echo 'kind: ConfigMap';;
esac
"""
PRIVATE = {
    "name": "mine", "namespace": "x", "chart": "mine", "version": "1.0.0",
    "repositoryOpts": {"repo": "https://charts.example.com", "username": "bob",
                       "password": PASSWORD},
}  # fmt: skip


@pytest.fixture
def helm(tmp_path):
    program = tmp_path / "program"
    program.write_text(RECORDER.format(folder=tmp_path))
    program.chmod(0o755)
    (tmp_path / "home").mkdir()
    return Helm(program, tmp_path / "kubeconfig", "here", tmp_path / "home")


def test_the_password_of_a_repository_is_in_no_argument_and_stays_nowhere(helm, tmp_path):
    assert helm.render(PRIVATE) == [{"kind": "ConfigMap"}]
    added, rendered = (tmp_path / "argv").read_text().splitlines()
    assert "repo add private https://charts.example.com --username=bob" in added
    assert "template mine private/mine --version=1.0.0 --repository-config=" in rendered
    assert (tmp_path / "stdin").read_text() == PASSWORD
    for name in ("argv", "env"):
        assert PASSWORD not in (tmp_path / name).read_text()
    assert list((tmp_path / "home").iterdir()) == []


def test_a_repository_for_everybody_is_named_as_ever(helm, tmp_path):
    helm.render({**PRIVATE, "repositoryOpts": {"repo": "https://charts.example.com"}})
    (argv,) = (tmp_path / "argv").read_text().splitlines()
    assert "template mine mine --version=1.0.0 --repo=https://charts.example.com" in argv


def test_what_helm_cannot_be_told_is_refused_by_name(helm):
    odd = {**PRIVATE, "repositoryOpts": {"repo": "https://x", "keyring": "k"}}
    with pytest.raises(Refusal, match="keyring"):
        helm.install(odd, threading.Event())
