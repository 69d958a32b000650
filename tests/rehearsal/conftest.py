import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

DRIVE = Path(__file__).parent / "helpers" / "drive.py"
STACK = "urn:pulumi:first::colony::"


@pytest.fixture
def make_world(tmp_path):
    """Worlds whose servers end with the test."""
    from colony.rehearsal.world import World

    worlds = []

    def make(name="world", **options):
        worlds.append(World.create(tmp_path / name, **options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.stop()


@pytest.fixture
def engine(tmp_path, cli):
    """Runs a program's operations on a world in a process of its own."""

    def run(world, program, *operations, **environment):
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(program))
        process = subprocess.Popen(
            [sys.executable, str(DRIVE), str(path), *operations],
            env={**world.environment(), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        world.announce(process.pid)
        out, err = process.communicate(timeout=300)
        if process.returncode < 0:
            return {"killed": -process.returncode}
        assert process.returncode == 0, err[-4000:]
        return json.loads(out.splitlines()[-1])

    return run


class Bench:
    """The far end without an engine: calls by short names."""

    def __init__(self, folder, seed=0, faults=(), **options):
        from colony.rehearsal.faults import parse_faults
        from colony.rehearsal.package import load_packages
        from colony.rehearsal.simulation import Simulation
        from colony.rehearsal.state import Store

        folder.mkdir(exist_ok=True)
        self.folder, self.cluster, self.region = folder, "", "us-east-1"
        self.simulation = Simulation(
            Store(folder), load_packages(), seed, b"key", parse_faults(list(faults)), **options
        )

    @property
    def world(self):
        return self.simulation.store.world

    def call(self, op, type_, name, inputs=None, **more):
        from colony.rehearsal.calls import Call, Config

        package = self.simulation.packages[type_.partition(":")[0]]
        config = Config(self.region, {"colony": "x"}, {"clusterIdentifier": self.cluster})
        urn = f"{STACK}{type_}::{name}"
        return Call(op, package, type_, urn, name, inputs or {}, more.pop("config", config), **more)

    def create(self, type_, name, inputs=None, **more):
        call = self.call("create", type_, name, inputs, **more)
        checked, failures = self.simulation.check(call)
        assert not failures, failures
        return self.simulation.perform(self.call("create", type_, name, checked, **more))

    def delete(self, type_, name, made, **more):
        return self.simulation.perform(
            self.call("delete", type_, name, id=made.id, olds=made.outputs, **more)
        )

    def types(self):
        return sorted(thing.type for thing in self.world.things.values())

    def network(self):
        """A VPC with a gateway and a subnet."""
        vpc = self.create("aws:ec2/vpc:Vpc", "vpc", {"cidrBlock": "10.0.0.0/16"})
        gateway = self.create(
            "aws:ec2/internetGateway:InternetGateway", "gateway", {"vpcId": vpc.id}
        )
        inputs = {"vpcId": vpc.id, "cidrBlock": "10.0.1.0/24"}
        return vpc, gateway, self.create("aws:ec2/subnet:Subnet", "subnet", inputs)

    def kubernetes(self):
        """A cluster in that network, for which later Kubernetes calls are configured."""
        _, _, subnet = self.network()
        role = self.create("aws:iam/role:Role", "role", {"assumeRolePolicy": "{}"})
        inputs = {"roleArn": role.outputs["arn"], "vpcConfig": {"subnetIds": [subnet.id]}}
        cluster = self.create("aws:eks/cluster:Cluster", "main", inputs)
        self.cluster = cluster.outputs["arn"]
        return cluster, role, subnet

    def object(self, type_, name, **inputs):
        kind = type_.rpartition(":")[2]
        version = type_.split(":")[1].removeprefix("core/")
        return self.create(type_, name, {"apiVersion": version, "kind": kind, **inputs})


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "bench")


@pytest.fixture
def make_bench(tmp_path):
    def make(name="bench", **options):
        return Bench(tmp_path / name, **options)

    return make
