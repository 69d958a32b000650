import pytest

from jobs.accelerators import canonical, find, known, near_accelerators


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("h100", "H100"),
        ("a100-80gb", "A100-80GB"),
        ("A100-40GB", "A100"),
        ("RTXA6000", "A6000"),
        ("h100-mega", "H100-MEGA-80GB"),
        ("mi300x", "MI300X"),
    ],
)
def test_spellings_have_one_canonical_name(given, name):
    assert canonical(given) == name


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("H100-80GB-MEGA", "H100-MEGA-80GB"), ("A10O", "A100"), ("L4OS", "L40S"), ("B20", "B200")],
)
def test_an_unknown_name_gets_its_near_match(wrong, right):
    assert right in near_accelerators(wrong)
    with pytest.raises(ValueError, match=f"unknown accelerator {wrong}.*did you mean.*{right}"):
        canonical(wrong)


@pytest.mark.parametrize("name", ["Trainium", "Inferentia2", "Gaudi3", "tpu-v5p-8", "TPU-v4"])
def test_accelerators_of_other_vendors_are_refused_by_name(name):
    with pytest.raises(ValueError, match=f"{name}.*not built yet"):
        canonical(name)


def test_nvidias_have_a_compute_capability_and_only_they():
    table = [find(name) for name in known()]
    assert all(bool(one.compute) == (one.vendor == "nvidia") for one in table)
    assert all(float(one.compute) >= 3 for one in table if one.compute)
    assert (find("H100-SXM").compute, find("A100-80GB").compute) == ("9.0", "8.0")


def test_a_name_like_nothing_has_no_near_match():
    assert near_accelerators("zzzz") == []
    with pytest.raises(ValueError, match="unknown accelerator zzzz"):
        canonical("zzzz")


def test_every_accelerator_has_memory_a_vendor_and_a_resource():
    for name in known():
        one = find(name)
        assert one is not None and one.name == name
        assert 4 <= one.memory_gb <= 400
        assert "/" in one.resource


def test_no_alias_hides_another_accelerator():
    names = [n.lower() for name in known() for n in (name, *find(name).aliases)]
    assert len(names) == len(set(names))


def test_memory_is_the_nominal_one():
    nominal = {"A100": 40, "A100-80GB": 80, "H100": 80, "H200": 141, "B200": 180, "MI300X": 192}
    assert {name: find(name).memory_gb for name in nominal} == nominal


def test_the_resource_is_the_vendors():
    assert find("h100").resource == "nvidia.com/gpu"
    assert find("MI300X").resource == "amd.com/gpu"
    assert find("nothing") is None
