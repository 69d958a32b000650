"""What hosts have, as they say themselves, against what the file says of them."""

import subprocess
from pathlib import Path

import pytest

from colony import hardware, ssh
from colony.hardware import accelerators_in, with_hardware
from components.spec import ColonySpec
from jobs.accelerators import find
from jobs.errors import InputError

EIGHT = "pci 0x20b2\n" * 8
KEYS = "AAAAC3NzaC1lZDI1NTE5AAAAIE7xWmlWUa3Jd0pT4n3z6n7c4lRZbXgT3p0Qk2dJxY9z"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", None),
        (EIGHT, "A100-80GB:8"),
        ("pci 0x2330\nsmi NVIDIA H100 80GB HBM3\n", "H100:1"),
        ("pci 0xffff\nsmi NVIDIA A100-SXM4-80GB\n", "A100-80GB:1"),
        ("pci 0xffff\nsmi Tesla V100-SXM2-32GB\n", "V100-32GB:1"),
        ("pci 0xffff\nsmi NVIDIA GeForce RTX 4090\n", "RTX4090:1"),
        ("pci 0xffff\nsmi NVIDIA H100 PCIe\n", "H100:1"),
        ("pci 0xffff\nsmi Tesla T4\n", "T4:1"),
        ("pci 0xffff\nsmi NVIDIA L40S\n", "L40S:1"),
    ],
)
def test_gpus_are_known_by_their_device_or_by_the_drivers_name(said, found):
    assert accelerators_in(said) == found


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("pci 0xffff\n", "10de:0xffff"),
        ("pci 0xffff\nsmi NVIDIA Toaster 1\n", "not known"),
        ("pci 0x20b2\npci 0x27b8\n", "several kinds"),
    ],
)
def test_what_cannot_be_said_in_one_word_is_told(said, says):
    with pytest.raises(ValueError, match=says):
        accelerators_in(said)


def test_every_device_is_an_accelerator_that_jobs_can_ask_for():
    for name in hardware._data()["pci"].values():
        assert find(name) is not None, name


def test_the_script_counts_the_devices_of_a_machine(tmp_path):
    for name, vendor, kind, device in (
        ("0", "0x10de", "0x030200", "0x20b2"),
        ("1", "0x10de", "0x040300", "0x1aef"),  # its sound
        ("2", "0x8086", "0x030000", "0x1234"),
        ("3", "0x10de", "0x030000", "0x2684"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        for file, text in (("vendor", vendor), ("class", kind), ("device", device)):
            (folder / file).write_text(f"{text}\n")
    text = Path(hardware.__file__).with_suffix(".sh").read_text()
    text = text.replace("/sys/bus/pci/devices", str(tmp_path))
    smi = tmp_path / "nvidia-smi"
    smi.write_text('#!/bin/sh\necho "NVIDIA A100-SXM4-80GB"\n')
    smi.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", text],
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert done.stdout.splitlines() == ["pci 0x20b2", "pci 0x2684", "smi NVIDIA A100-SXM4-80GB"]
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def colony(tmp_path):
    """Two hosts; their keys are known."""
    known = tmp_path / "known_hosts"
    known.write_text(f"10.0.0.1 ssh-ed25519 {KEYS}\n10.0.0.2 ssh-ed25519 {KEYS}\n")

    def make(*hosts, **ssh):
        lab = {
            "name": "lab", "cloud": "onprem", "hosts": list(hosts),
            "ssh": {"known_hosts": str(known), "user": "ops", **ssh},
        }  # fmt: skip
        return ColonySpec.model_validate({"name": "demo", "clusters": [lab]})

    return make


def told(answers):
    return lambda way: answers[way.host]


def test_what_the_file_leaves_out_is_filled_in(colony):
    spec = colony("10.0.0.1", {"address": "10.0.0.2", "accelerators": "A100-80GB:8"})
    seen = []
    answers = {"10.0.0.1": ssh.Said(0, "", ""), "10.0.0.2": ssh.Said(0, EIGHT, "")}
    (lab,) = with_hardware(spec, lambda way: seen.append(way) or answers[way.host]).clusters
    assert [host.accelerators for host in lab.hosts] == [None, "A100-80GB:8"]
    assert {(way.user, way.host_key.split()[0]) for way in seen} == {("ops", "ssh-ed25519")}
    answers["10.0.0.1"] = ssh.Said(0, "pci 0x27b8\n", "")
    assert with_hardware(spec, told(answers)).clusters[0].hosts[0].accelerators == "L4:1"


@pytest.mark.parametrize(
    ("answer", "path", "says"),
    [
        (ssh.Said(0, "pci 0x20b2\n" * 7, ""), "clusters[0].hosts[1].accelerators",
         "the file says A100-80GB:8, 10.0.0.2 has A100-80GB:7"),
        (ssh.Said(0, "", ""), "clusters[0].hosts[1].accelerators", "has no GPUs"),
        (ssh.Said(255, "", "Permission denied (publickey)."), "clusters[0].hosts[1]",
         "does not let us in: Permission denied"),
        (ssh.Said(255, "", f"{'@' * 90}\nWARNING\nHost key verification failed.\r\n"),
         "clusters[0].hosts[1]", "does not let us in: Host key verification failed."),
    ],
)  # fmt: skip
def test_what_is_not_as_the_file_says_is_refused_by_path(colony, answer, path, says):
    spec = colony("10.0.0.1", {"address": "10.0.0.2", "accelerators": "A100-80GB:8"})
    answers = {"10.0.0.1": ssh.Said(0, "", ""), "10.0.0.2": answer}
    with pytest.raises(InputError, match=r"10\.0\.0\.2") as caught:
        with_hardware(spec, told(answers))
    (problem,) = caught.value.problems
    assert problem.path == path
    assert says in str(problem)


def test_a_host_that_does_not_answer_has_a_deadline(colony):
    def late(way):
        raise subprocess.TimeoutExpired("ssh", hardware.SECONDS)

    with pytest.raises(InputError, match="no answer in 60 s"):
        with_hardware(colony("10.0.0.1"), late)


def test_a_gpu_of_no_name_is_fine_where_the_file_names_it(colony):
    spec = colony({"address": "10.0.0.1", "accelerators": "B200:1"})
    kept = with_hardware(spec, told({"10.0.0.1": ssh.Said(0, "pci 0xffff\n", "")}))
    assert kept.clusters[0].hosts[0].accelerators == "B200:1"


def test_nobody_is_asked_who_is_not_known(colony):
    with pytest.raises(InputError, match=r"has no key of 10\.0\.0\.9"):
        with_hardware(colony("10.0.0.9"), lambda way: pytest.fail("was asked"))
