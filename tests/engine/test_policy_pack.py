"""The policy pack in the real engine: a colony that keeps the rules, and one that breaks all."""

import json
import re

import pytest
import yaml

pytest.importorskip("pulumi_policy", reason="NOT SHOWN: pip install -e '.[policy]'")
pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

UNTAGGED = """
import pulumi
import pulumi_aws

mine = pulumi_aws.Provider("mine", region="us-east-1")
pulumi_aws.ec2.Eip("forgotten", opts=pulumi.ResourceOptions(provider=mine))
"""


@pytest.fixture
def packed(plain, checkout, tmp_path):
    """A preview with the pack and its config."""
    # A file of it is a plugin: the CLI that is built here has no language host beside it.
    pack = checkout / "stacks" / "policy" / "__main__.py"

    def preview(config):
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        return plain.ask("preview", "--policy-pack", pack, "--policy-pack-config", path)

    return preview


def widened(plain):
    """The colony's own cluster, open to everybody."""
    path = plain.world.project_dir / "stacks" / "Pulumi.tiny.yaml"
    config = yaml.safe_load(path.read_text())
    placement = json.loads(config["config"]["colony:placement"])
    placement["clusters"][0]["access"] = {"cidrs": ["0.0.0.0/0"]}
    config["config"]["colony:placement"] = json.dumps(placement)
    path.write_text(yaml.safe_dump(config))


def test_a_colony_within_its_limits_passes(packed):
    limits = {"max-usd-per-hour": {"usd": 100}, "allowed-places": {"clouds": ["aws"]}}
    done = packed(limits)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✅ colony@v0.1.0" in done.stdout
    assert " to create" in done.stdout


def test_each_rule_that_is_broken_stops_it_and_names_the_path(packed, plain):
    widened(plain)
    program = plain.world.project_dir / "stacks" / "__main__.py"
    program.write_text(program.read_text() + UNTAGGED)
    limits = {
        "max-usd-per-hour": {"usd": 1},
        "allowed-places": {"regions": {"aws": ["eu-west-1"]}},
    }
    done = packed(limits)
    assert done.returncode != 0
    said = re.sub(r"\s+", " ", done.stdout)
    for rule, resource, path in (
        ("max-usd-per-hour", "colony:index:Colony: tiny", "clusters.main.pools."),
        ("allowed-places", "colony:index:Colony: tiny", "clusters.main.region: 'us-"),
        ("no-open-api-server", "aws:eks:Cluster: tiny-main-eks",
         "vpcConfig.publicAccessCidrs[0]: 0.0.0.0/0 is everybody"),
        ("lease-tags", "aws:ec2:Eip: forgotten", "tags.colony-expires: is missing"),
    ):  # fmt: skip
        assert f"[mandatory] {rule} ({resource})" in said, said[-3000:]
        assert path in said


def test_a_limit_that_is_misspelt_stops_it_too(packed):
    """It would hold nothing, and nobody would notice."""
    limits = {"max-usd-per-hour": {"usd_per_hour": 1}, "allowed-places": {"regions": {"aw": []}}}
    done = packed(limits)
    assert done.returncode != 0
    said = re.sub(r"\s+", " ", done.stdout)
    assert "config.usd_per_hour: this rule has no such limit" in said, said[-3000:]
    assert "config.regions: 'aw' is no cloud" in said
