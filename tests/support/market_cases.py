"""Random catalogues and requests. `COLONY_EXAMPLES=2000` tries more of them."""

import os

from hypothesis import strategies as st

from colony.market.request import Request
from colony.market.rows import Row

EXAMPLES = int(os.environ.get("COLONY_EXAMPLES", "300"))


def row(**given):
    fields = {
        "cloud": "aws", "region": "us-east-1", "zone": "", "instance_type": "x",
        "accelerator": "L4", "gpus": 1.0, "cpus": 4.0, "memory_gib": 16.0,
        "gpu_memory_gib": 24.0, "price": 1.0, "spot_price": None, "arch": "x86_64",
        "date": "2026-01-01",
    }  # fmt: skip
    return Row(**{**fields, **given})


def seldom(*values):
    """Mostly nothing: a request with many constraints has no offers to rank."""
    return st.integers(0, 7).flatmap(lambda n: st.none() if n else st.sampled_from(values))


MOSTLY_L4 = st.sampled_from(["L4", "L4", "L4", "H100"])
CLOUDS, REGIONS, ZONES = ("aws", "azure", "gcp"), ("r1", "r2", "r3"), ("", "a", "b")
PRICES = st.sampled_from([0.25, 0.3, 0.3, 1.0, 7.77, None])
ROWS = st.lists(
    st.builds(
        row,
        cloud=st.sampled_from(CLOUDS),
        region=st.sampled_from(REGIONS),
        zone=st.sampled_from(ZONES),
        instance_type=st.sampled_from(["m1", "m2"]),
        accelerator=MOSTLY_L4,
        gpus=st.sampled_from([1.0, 1.0, 1.0, 8.0]),
        cpus=st.none() | st.sampled_from([4.0, 8.0]),
        memory_gib=st.sampled_from([16.0, 32.0]),
        price=PRICES,
        spot_price=PRICES,
    ),
    min_size=8,
    max_size=30,
)
REQUESTS = st.builds(
    Request,
    accelerator=MOSTLY_L4,
    count=st.sampled_from([0.5, 1.0, 1.0, 8.0]),
    nodes=st.integers(1, 100),
    cpus=seldom("4", "4+", "8+"),
    memory=seldom("16", "20+"),
    cloud=seldom(*CLOUDS, "oci"),
    region=seldom(*REGIONS, "r9"),
    zones=st.sampled_from([(), (), (), (), (), ("a",), ("a", "b"), ("r1a",)]),
    instance_type=seldom("m1", "m3"),
    use_spot=st.sampled_from([False, None, True]),
    max_price=seldom(0.25, 1.0),
    hours=st.sampled_from([1.0, 0.25, 30.0]),
)
