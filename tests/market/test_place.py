import pytest

from colony.market.catalog import Catalog
from colony.market.place import place
from colony.market.plan import plan
from colony.market.request import request_of
from colony.market.rows import Row
from colony.market.settle import settle
from components.spec import ClusterSpec, ColonySpec, PoolSpec
from jobs.errors import InputError, NoOffer, NotSupported
from jobs.spec import Job, Resources, Role

STARTER = Catalog.load()


def job(name="train", accelerators=None, nodes=1, **resources):
    need = Resources(accelerators=accelerators, **resources)
    return Job(name=name, nodes=nodes, resources=need, run="true")


def colony(*jobs, clusters=()):
    return ColonySpec(name="demo", jobs=list(jobs), clusters=list(clusters))


def row(instance_type, accelerator, gpus, region, price, spot_price=None):
    return Row("aws", region, "", instance_type, accelerator, gpus, 8.0, 32.0, None,
               price, spot_price, "x86_64", "2026-01-01")  # fmt: skip


ONPREM = ClusterSpec(name="c", cloud="onprem", hosts=["h"])


def pools(cluster):
    return {pool.name: (pool.instance_type, pool.nodes) for pool in cluster.pools}


def test_one_job_becomes_one_cluster_with_a_system_pool():
    made = place(colony(job(accelerators="H100:8", nodes=100)), STARTER)
    (cluster,) = made.clusters
    assert (cluster.cloud, cluster.region) == ("aws", "us-east-1")
    assert cluster.kubernetes
    assert pools(cluster) == {"system": ("m6i.large", 2), "h100-8": ("p5.48xlarge", 100)}
    assert made.jobs == {"train": cluster.name}
    assert made.catalog_date == "2025-11-01"


def test_the_price_is_the_sum_of_the_catalogue_rows_and_the_control_plane():
    made = place(colony(job(accelerators="H100:8", nodes=100)), STARTER)
    assert round(made.price_per_hour, 2) == 100 * 55.04 + round(2 * 0.096 + 0.10, 2)
    for pool in made.clusters[0].pools:
        price = STARTER.price_of(pool.instance_type, made.clusters[0].region)
        assert pool.price_per_node_hour == price


def test_jobs_share_a_cluster_and_pools_of_one_machine_type():
    made = place(
        colony(job("a", "L4:1", 2), job("b", "L4:1"), job("c"), job("d", "A10G:1", cpus="8")),
        STARTER,
    )
    (cluster,) = made.clusters
    assert pools(cluster) == {
        "system": ("m6i.large", 2),
        "l4-1": ("g6.xlarge", 3),
        "cpu": ("m6i.2xlarge", 1),
        "a10g-1": ("g5.2xlarge", 1),
    }
    assert set(made.jobs.values()) == {cluster.name}


def test_two_machine_types_of_one_accelerator_are_two_pools():
    made = place(colony(job("a", "L4:1"), job("b", "L4:1", cpus="16")), STARTER)
    named = pools(made.clusters[0])
    assert named == {
        "system": ("m6i.large", 2),
        "l4-1": ("g6.xlarge", 1),
        "l4-1-2": ("g6.4xlarge", 1),
    }


def test_the_place_is_the_cheapest_for_all_jobs_together():
    rows = [
        row("x", "L4", 1.0, "us-east-1", 1.0), row("y", "H100", 1.0, "us-east-1", 9.0),
        row("x", "L4", 1.0, "us-west-2", 2.0), row("y", "H100", 1.0, "us-west-2", 7.0),
        row("x", "L4", 1.0, "us-east-2", 0.1),
        row("m6i.large", "", 0.0, "us-east-1", 0.1), row("m6i.large", "", 0.0, "us-west-2", 0.1),
    ]  # fmt: skip
    made = place(colony(job("a", "L4:1"), job("b", "H100:1")), Catalog(rows))
    assert made.clusters[0].region == "us-west-2"
    assert round(made.price_per_hour, 2) == 9.3  # 2 + 7, two system nodes, the control plane


@pytest.mark.parametrize("accelerators", ["H100:8", "L4:1", "A10G:4", "A100-80GB:8", "B200:8"])
@pytest.mark.parametrize("by", ["sticker", "expected"])
def test_one_job_goes_where_its_plan_says(accelerators, by):
    one = job(accelerators=accelerators, nodes=3)
    chosen = plan(request_of(one), STARTER, by=by).chosen
    (cluster,) = place(colony(one), STARTER, by=by).clusters
    assert (cluster.cloud, cluster.region) == (chosen.row.cloud, chosen.row.region)
    bought = cluster.pools[1]
    assert bought.nodes * bought.price_per_node_hour == pytest.approx(chosen.price_per_hour)


def test_by_expected_a_region_may_lose_by_its_system_pool():
    rows = [
        row("x", "L4", 1.0, "us-east-1", 1.0), row("m6i.large", "", 0.0, "us-east-1", 0.5),
        row("x", "L4", 1.0, "us-west-2", 1.1), row("m6i.large", "", 0.0, "us-west-2", 0.1),
    ]  # fmt: skip
    spec, catalog = colony(job("a", "L4:1")), Catalog(rows)
    assert place(spec, catalog, by="sticker").clusters[0].region == "us-east-1"
    assert place(spec, catalog).clusters[0].region == "us-west-2"


def test_jobs_that_no_region_holds_together_get_a_cluster_each():
    made = place(
        colony(
            job("a", "L4:1", region="us-east-1"),
            job("b", "A10G:1", region="us-west-2"),
            job("c", "L4:1", region="us-east-1"),
        ),
        STARTER,
    )
    assert [cluster.region for cluster in made.clusters] == ["us-east-1", "us-west-2"]
    assert pools(made.clusters[0])["l4-1"] == ("g6.xlarge", 2)
    first, second = (cluster.name for cluster in made.clusters)
    assert made.jobs == {"a": first, "b": second, "c": first}


def test_each_kind_of_role_has_its_pool():
    roles = {"worker": Role(replicas=2), "server": Role(resources=Resources(cpus="4"))}
    made = place(
        colony(Job(name="train", roles=roles, resources=Resources(accelerators="L4:1"))), STARTER
    )
    assert pools(made.clusters[0]) == {
        "system": ("m6i.large", 2),
        "l4-1": ("g6.xlarge", 2),
        "cpu": ("m6i.xlarge", 1),
    }


def test_a_zone_is_in_its_region():
    made = place(colony(job(accelerators="L4:1", zone="us-west-2b")), STARTER)
    assert made.clusters[0].region == "us-west-2"
    assert made.clusters[0].pools[1].zone == "us-west-2b"


def test_a_zone_id_of_a_catalogue_does_not_pin_a_pool_with_a_price_for_the_region():
    here = row("x", "L4", 1.0, "us-east-1", 1.0)._replace(zone="use1-az2")
    catalog = Catalog([here, row("m6i.large", "", 0.0, "us-east-1", 0.1)])
    assert place(colony(job(accelerators="L4:1")), catalog).clusters[0].pools[1].zone is None


def test_clusters_of_the_file_bind_cloud_region_zones_and_version():
    given = ClusterSpec(
        name="far", cloud="aws", region="eu-north-1", zones=["eu-north-1a"], kubernetes="1.34"
    )
    made = place(colony(job(accelerators="L4:1"), clusters=[given]), STARTER)
    (cluster,) = made.clusters
    assert (cluster.name, cluster.region, cluster.zones) == ("far", "eu-north-1", ["eu-north-1a"])
    assert cluster.kubernetes == "1.34"
    assert cluster.pools[1].price_per_node_hour == STARTER.price_of("g6.xlarge", "eu-north-1")


def test_pools_of_a_cluster_are_bought_as_asked_without_any_job():
    pool = PoolSpec(name="big", accelerators="H100:8", nodes=3)
    made = place(colony(clusters=[ClusterSpec(name="only", pools=[pool])]), STARTER)
    assert pools(made.clusters[0]) == {"system": ("m6i.large", 2), "big": ("p5.48xlarge", 3)}
    assert made.jobs == {}


def test_a_job_uses_the_pool_that_fits_and_buys_nothing_more():
    ready = ClusterSpec(name="ready", pools=[PoolSpec(name="gpu", accelerators="H100:8", nodes=2)])
    empty = ClusterSpec(name="empty", region="us-west-2")
    fits = place(colony(job(accelerators="H100:8", nodes=2), clusters=[empty, ready]), STARTER)
    assert fits.jobs == {"train": "ready"}
    assert pools(fits.clusters[1])["gpu"] == ("p5.48xlarge", 2)
    larger = place(colony(job(accelerators="H100:8", nodes=3), clusters=[empty, ready]), STARTER)
    assert larger.jobs == {"train": "empty"}
    assert pools(larger.clusters[0])["h100-8"] == ("p5.48xlarge", 3)


def test_a_cluster_without_pools_or_jobs_has_its_system_pool_only():
    made = place(colony(clusters=[ClusterSpec(name="c", region="eu-north-1")]), STARTER)
    assert made.clusters[0].region == "eu-north-1"
    assert pools(made.clusters[0]) == {"system": ("m6i.large", 2)}


def test_a_job_for_which_no_cluster_of_the_file_fits_is_refused():
    with pytest.raises(InputError, match="no cluster of the colony has"):
        place(
            colony(
                job(accelerators="L4:1", region="us-east-1"),
                clusters=[ClusterSpec(name="c", cloud="aws", region="us-west-2")],
            ),
            STARTER,
        )


def test_a_job_runs_on_the_cluster_that_it_names():
    both = [ClusterSpec(name=name, cloud="aws", region="us-east-1") for name in ("one", "two")]
    named = job(accelerators="L4:1").model_copy(update={"cluster": "two"})
    made = place(colony(named, job("other", "L4:1"), clusters=both), STARTER)
    assert made.jobs == {"train": "two", "other": "one"}


@pytest.mark.parametrize(
    ("clusters", "name", "hint"),
    [
        (["lab", "cloud"], "lap", "did you mean `lab`?"),
        ([], "lab", "the colony names no clusters"),
    ],
)
def test_a_cluster_that_the_colony_does_not_have_is_refused(clusters, name, hint):
    given = [ClusterSpec(name=each, cloud="aws") for each in clusters]
    named = job(accelerators="L4:1").model_copy(update={"cluster": name})
    with pytest.raises(InputError) as caught:
        place(colony(named, clusters=given), STARTER)
    (problem,) = caught.value.problems
    assert (problem.path, problem.hint) == ("jobs[train].cluster", hint)


def test_a_named_cluster_elsewhere_is_refused():
    one = ClusterSpec(name="one", cloud="aws", region="us-east-1")
    named = job(accelerators="L4:1", cloud="gcp").model_copy(update={"cluster": "one"})
    with pytest.raises(InputError, match="cluster one"):
        place(colony(named, clusters=[one]), STARTER)


def test_an_existing_cluster_costs_nothing_and_buys_nothing():
    made = place(colony(job("a", "H100:8", 4, context="lab"), job("b", "L4:1")), STARTER)
    lab, ours = made.clusters
    assert (lab.name, ours.name) == ("existing", "main")
    assert (lab.cloud, lab.context, lab.pools) == ("existing", "lab", [])
    assert made.jobs == {"a": lab.name, "b": ours.name}
    assert round(made.price_per_hour, 4) == round(0.8048 + 0.192 + 0.10, 4)


def test_an_existing_cluster_of_the_file_takes_the_jobs():
    given = ClusterSpec(name="lab", cloud="existing", context="lab")
    made = place(colony(job(accelerators="H100:8"), clusters=[given]), STARTER)
    assert made.jobs == {"train": "lab"}
    assert made.price_per_hour == 0


def test_no_offer_names_the_job_the_constraint_and_near_matches():
    with pytest.raises(NoOffer) as error:
        place(colony(job(accelerators="L4:8", region="eu-west-9")), STARTER)
    assert "no offer for job train: no 8 x L4 in region eu-west-9 (near: " in str(error.value)
    assert "us-east-1" in str(error.value)
    assert error.value.exit_code == 2
    assert {"reason", "count", "near"} == set(error.value.refused[0])


def test_spot_is_refused_where_no_kind_is_built_with_it(monkeypatch):
    monkeypatch.setattr("colony.market.buyer.has_spot", lambda cloud: False)
    with pytest.raises(NotSupported, match="spot pools on aws"):
        place(colony(job(accelerators="L4:1", use_spot=True)), STARTER)


def test_a_pool_is_built_as_the_file_asks():
    pool = {"name": "l4", "accelerators": "L4:1", "reservation": "cr-1", "disk": 500}
    access = {"cidrs": ["203.0.113.7/32"]}
    given = ClusterSpec(name="c", cloud="aws", pools=[pool], access=access)
    (cluster,) = place(colony(clusters=[given]), STARTER).clusters
    assert cluster.access == given.access
    assert (cluster.pools[-1].reservation, cluster.pools[-1].disk) == ("cr-1", 500)


def test_pools_that_no_region_has_together_are_refused_with_where_each_is():
    rows = [row("x", "L4", 1.0, "us-east-1", 1.0), row("y", "H100", 1.0, "us-west-2", 9.0)]
    given = ClusterSpec(
        name="c",
        pools=[PoolSpec(name="a", accelerators="L4:1"), PoolSpec(name="b", accelerators="H100:1")],
    )
    with pytest.raises(NoOffer) as error:
        place(colony(clusters=[given]), Catalog(rows))
    assert "1 x L4 (pool a of cluster c) is in us-east-1" in str(error.value)
    assert "1 x H100 (pool b of cluster c) is in us-west-2" in str(error.value)


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        (colony(job(accelerators="A100:8", cloud="gcp")), NoOffer, "gcp has no cluster kind"),
        (colony(clusters=[ClusterSpec(name="c", cloud="azure")]), NotSupported, "has no clus"),
        (colony(job(accelerators="A100:8"), clusters=[ONPREM]), InputError, "1 host without"),
        (colony(clusters=[ClusterSpec(name="c", cloud="existing")]), InputError, "needs one"),
        (colony(job(cloud="existing")), InputError, "needs a context"),
        (colony(), InputError, "no cluster and no job"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_is_refused_by_name(spec, error, says):
    with pytest.raises(error, match=says):
        place(spec, STARTER)


def test_where_the_system_machine_has_no_price_the_dearest_known_one_stands_for_it():
    rows = [row("x", "L4", 1.0, "mars-1", 1.0), *STARTER.of_type("m6i.large")]
    made = place(colony(job(accelerators="L4:1")), Catalog(rows))
    dearest = max(one.price for one in STARTER.of_type("m6i.large"))
    assert made.clusters[0].pools[0].price_per_node_hour == dearest


def test_the_same_colony_is_placed_in_the_same_bytes():
    spec = colony(job("a", "L4:1", 2), job("b", "A10G:1"), job("c"))
    one, other = (place(spec, Catalog.load()).model_dump_json() for _ in range(2))
    assert one == other


def capped(**caps):
    prices = Catalog(
        [
            row("g5.xlarge", "A10G", 1, "us-east-1", 1.0),
            row("g5.xlarge", "A10G", 1, "us-west-2", 3.0),
            row("m6i.large", "", 0, "us-east-1", 0.1),
            row("m6i.large", "", 0, "us-west-2", 0.1),
        ]
    )
    where = ClusterSpec(name="main", cloud="aws", region=caps.pop("region", None),
                        max_price=caps.pop("cluster", None))  # fmt: skip
    spec = ColonySpec(name="demo", jobs=[job(accelerators="A10G:1", nodes=2)], clusters=[where],
                      max_price=caps.pop("colony", None))  # fmt: skip
    return place(spec, prices, built={"aws"})


@pytest.mark.parametrize("what", ["colony", "cluster"])
def test_nothing_over_its_max_price_is_placed(what):
    """Two nodes, two system nodes, a control plane."""
    assert capped(**{what: 2.31}).price_per_hour == 2.3
    with pytest.raises(NoOffer, match=rf"{what}.* \$2.30 per hour, over its max_price of \$2.29"):
        capped(**{what: 2.29})
    with pytest.raises(NoOffer, match=r"\$6.30 per hour"):
        capped(region="us-west-2", **{what: 2.31})


def test_what_fits_is_taken_where_the_expected_cost_alone_would_not():
    """The spot machine is cheaper per hour; done again and again, it is expected to cost more."""
    prices = Catalog(
        [
            row("g5.xlarge", "A10G", 1, "us-east-1", 1.0),
            row("g5.xlarge", "A10G", 1, "us-west-2", 9.0, 0.98),
            row("m6i.large", "", 0, "us-east-1", 0.1),
            row("m6i.large", "", 0, "us-west-2", 0.1),
        ]
    )
    need = {"accelerators": "A10G:1"}
    spot = Resources(**need, use_spot=True)
    long = Job(name="train", run="true", nodes=16, expected_run_time="20h",
               resources=Resources(**need), alternatives=[spot])  # fmt: skip
    chosen = settle(ColonySpec(name="demo", jobs=[long]), prices, built={"aws"})
    assert not chosen.spec.jobs[0].resources.use_spot
    tight = settle(ColonySpec(name="demo", jobs=[long], max_price=16.2), prices, built={"aws"})
    assert tight.spec.jobs[0].resources.use_spot
    assert tight.placement.price_per_hour <= 16.2 < chosen.placement.price_per_hour
