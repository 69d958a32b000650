"""A container's words as a script, Kubernetes' amounts, and the names of GPUs on nodes."""

from __future__ import annotations

import re
import subprocess
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.amounts import gib, plain, quantity
from jobs.gate.models import model_of
from jobs.importers.shell import placeholder, script

ENV = {"A": "one two", "B_2": "$x"}


def expanded(word: str) -> str:
    """Kubernetes' rule, said another way: one pass from the left."""
    return re.sub(
        r"\$(\$|\(([A-Za-z_][A-Za-z0-9_]*)\))",
        lambda m: "$" if m[1] == "$" else ENV.get(m[2], m[0]),
        word,
    )


def printed(words: list[str]) -> list[str]:
    command = script(["printf", "%s\\0", *words])
    done = subprocess.run(["bash", "-c", command], env=ENV, capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.text(alphabet="$(){}ABZ_2 '\"\\\n`;*?<>|é", min_size=0, max_size=12).map(
            lambda text: text.replace("Z", "$(A)")
        ),
        min_size=1,
        max_size=3,
    )
)
def test_the_script_starts_the_words_that_kubernetes_would(words):
    assert printed(words) == [expanded(word) for word in words]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("$(A)", "one two"),
        ("x$(A)y", "xone twoy"),
        ("$$(A)", "$(A)"),
        ("$(NOBODY)", "$(NOBODY)"),
        ("$(date)", "$(date)"),
        ("$A", "$A"),
        ("", ""),
        ("it's", "it's"),
    ],
)
def test_references_are_replaced_where_there_is_such_a_variable(word, expected):
    assert printed([word]) == [expected]


@pytest.mark.parametrize("word", ["<image-name>", "<your project>", "${IMAGE}"])
def test_a_word_to_be_replaced_is_a_placeholder(word):
    assert placeholder(word)


@pytest.mark.parametrize("word", ["a<b", "echo ${HOME}", "<", "$(A)", "--x=${X}"])
def test_other_words_are_no_placeholders(word):
    assert not placeholder(word)


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", "0.5"), (2, "2"), ("4Gi", str(4 * 2**30)), ("1e3", "1000"), ("2E", "2" + "0" * 18),
     ("1Ei", str(2**60)), (0.5, "0.5"), ("100k", "100000"), ("250u", "0.00025")],
)  # fmt: skip
def test_an_amount_is_a_number(text, number):
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "lots", "4GB", "Gi", True, "1e", "--1"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError):
        quantity(text)


def test_bytes_are_gib_rounded_up():
    assert gib("4Gi") == "4"
    assert gib("1G") == "0.931323"
    assert plain(Decimal("1.500")) == "1.5"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("NVIDIA-H100-80GB-HBM3", "H100"),
        ("NVIDIA-A100-SXM4-80GB", "A100-80GB"),
        ("NVIDIA-A100-SXM4-40GB", "A100"),
        ("Tesla-V100-SXM2-32GB", "V100-32GB"),
        ("Tesla-V100-SXM2-16GB", "V100"),
        ("Tesla-T4", "T4"),
        ("NVIDIA-L40S", "L40S"),
        ("NVIDIA-A10G", "A10G"),
        ("NVIDIA-GeForce-RTX-4090", "RTX4090"),
        ("NVIDIA-H100-NVL", "H100-NVL"),
        ("NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition", "RTX-PRO-6000"),
        ("nvidia-tesla-t4", "T4"),
        ("nvidia-h100-80gb", "H100"),
        ("nvidia-h100-mega-80gb", "H100-MEGA-80GB"),
        ("nvidia-l4", "L4"),
        ("AMD_Instinct_MI300X_OAM", "MI300X"),
        ("h100", "H100"),
    ],
)
def test_the_label_of_a_node_names_a_gpu(label, name):
    found = model_of(label)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("label", ["", "74a1", "NVIDIA-", "Quadro-K620", "nvidia"])
def test_an_unknown_label_names_none(label):
    assert model_of(label) is None
