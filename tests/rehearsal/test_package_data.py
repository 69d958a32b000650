import pytest

from colony.rehearsal import schema
from colony.rehearsal.package import load_package, load_packages, package_names
from jobs.errors import InputError

PACKAGES = load_packages()
INTERNAL = {"aws:ec2/networkInterface:NetworkInterface"}
TYPES = [
    (package, token)
    for package in PACKAGES.values()
    for token in package.types
    if token not in INTERNAL
]


def test_there_is_data_for_each_cloud_that_is_built():
    assert {"aws", "gcp", "kubernetes"} <= set(package_names())


@pytest.mark.parametrize(
    ("package", "token"), TYPES, ids=lambda value: getattr(value, "package", value)
)
def test_every_output_that_the_sdk_promises_has_a_rule(package, token):
    rule, shape = package.types[token], schema.shape(token)
    given = {
        *rule.outputs,
        *rule.defaults,
        *rule.empty,
        *package.outputs,
        *shape.required,
        rule.autoname,
    }
    promised = {name for name, output in schema.outputs(token).items() if output.always}
    asked_for = {"cidrBlock"}
    assert promised - given - asked_for == set()


@pytest.mark.parametrize(
    ("package", "token"), TYPES, ids=lambda value: getattr(value, "package", value)
)
def test_rules_name_only_what_the_sdk_knows(package, token):
    rule, shape, outputs = package.types[token], schema.shape(token), schema.outputs(token)
    inputs = [path.split(".")[0] for path in [*rule.replace, *rule.refers] if path != "*"]
    assert set(inputs) <= set(shape.types)
    assert {path.split(".")[0] for path in [*rule.outputs, *rule.defaults, *rule.empty]} <= set(
        outputs
    )
    assert {reference.type for reference in rule.refers.values()} <= set(package.types)


@pytest.mark.parametrize("package", PACKAGES.values(), ids=lambda package: package.package)
def test_errors_and_prices_name_their_source(package):
    priced = [price for rule in package.types.values() for price in rule.price]
    assert all(error.source for error in package.errors.values())
    assert all(price.source or price.instance for price in priced)


def test_bad_data_is_refused_with_its_path(tmp_path):
    (tmp_path / "bad.yaml").write_text(
        "package: bad\ndistribution: d\nmodule: m\ntypes: {'a:b:C': {id: x, prise: 3}}\n"
    )
    with pytest.raises(InputError) as caught:
        load_package("bad", tmp_path)
    assert caught.value.problems[0].path == "types.a:b:C.prise"
