import pytest
from market_cases import CLOUDS, row

from colony.market.catalog import Catalog
from colony.market.own import Terms
from colony.market.pipeline import bound, moves_data, plan_together, with_egress
from colony.market.settle import settle
from colony.market.survey import survey
from components.spec import ClusterSpec, ColonySpec
from jobs.spec import Job, Resources

CATALOG = Catalog([
    row(price=1.0), row(cloud="gcp", price=0.8), row(accelerator="H100", price=2.0),
    row(accelerator="T4", price=50.0),
])  # fmt: skip
TERMS = Terms(CATALOG, built=CLOUDS, top=5)


def colony(name, accelerators, alternatives=(), **sizes):
    resources = Resources(accelerators=accelerators)
    others = [Resources(accelerators=each) for each in alternatives]
    job = Job(name=name, resources=resources, alternatives=others, run="true", **sizes)
    return ColonySpec(name=name, jobs=[job])


def chain(gigabytes):
    return [colony("prepare", "T4:1", ["L4:1"], writes={"s3://b": gigabytes}),
            colony("train", "H100:1")]  # fmt: skip


@pytest.mark.parametrize(("gigabytes", "cloud"), [(0.5, "gcp"), (500, "aws")])
def test_tasks_are_bought_where_the_common_plan_has_them(gigabytes, cloud):
    specs = chain(gigabytes)
    together = plan_together(specs, TERMS)
    held = bound(specs, together)
    placed = [settle(spec, CATALOG, built=CLOUDS).placement.clusters[0] for spec in held]
    assert [cluster.cloud for cluster in placed] == [cloud, "aws"]
    assert held[0].jobs[0].resources.accelerators == "L4:1"


def test_the_plan_of_a_task_shows_the_egress_of_what_it_reads():
    specs = chain(0.5)
    together = plan_together(specs, TERMS)
    plans = [survey(spec, TERMS).plans[0] for spec in specs]
    for made, spec in zip(plans, specs, strict=True):
        with_egress(made, together, spec.jobs[0])
    shown = [made.to_dict() for made in plans]
    assert [made["chosen"]["expected"]["egress"] for made in shown] == [0, 0.06]
    assert all(made["chosen"] in made["offers"] for made in shown)
    assert sum(m["chosen"]["expected"]["total"] for m in shown) == pytest.approx(together.total)


def test_a_task_that_is_not_at_its_own_cheapest_says_why():
    specs = chain(500)
    together = plan_together(specs, TERMS)
    (made,) = survey(specs[0], TERMS).plans
    assert made.chosen[1].row.cloud == "gcp"
    with_egress(made, together, specs[0].jobs[0])
    assert made.chosen[1].row.cloud == "aws"
    assert "goes to aws/us-east-1, which is cheapest with its data" in made.notes


def test_the_first_task_goes_to_what_it_reads_and_an_unknown_store_is_named():
    near = colony("a", "L4:1", reads={"s3://bucket": 500})
    far = colony("a", "L4:1", reads={"r2://bucket": 500})
    assert plan_together([near], TERMS).offers["a"].row.cloud == "aws"
    together = plan_together([far], TERMS)
    assert together.offers["a"].row.cloud == "gcp"
    (made,) = survey(far, TERMS).plans
    with_egress(made, together, far.jobs[0])
    assert any("r2://bucket is not in the price" in note for note in made.notes)


def test_data_decide_nothing_where_the_file_says_the_clusters():
    spec = colony("a", "L4:1", reads={"s3://b": 1})
    fixed = spec.model_copy(update={"clusters": [ClusterSpec(name="c", cloud="aws")]})
    assert moves_data([spec])
    assert not moves_data([fixed])
    assert not moves_data([colony("a", "L4:1")])
