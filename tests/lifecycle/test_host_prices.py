from colony.lifecycle.ground import host_spans
from components.placement import ClusterPlacement, Placement, PoolPlacement


def cluster(cloud, price, nodes=2):
    pool = PoolPlacement(name="gpus", instance_type="host", nodes=nodes, price_per_node_hour=price)
    return ClusterPlacement(name=cloud, cloud=cloud, region="", pools=[pool])


def test_hosts_are_billed_at_the_price_of_the_file_for_the_whole_life():
    placement = Placement(clusters=[cluster("onprem", 4), cluster("aws", 9)])
    (span,) = host_spans(placement, 7200)
    assert (span.id, span.usd_per_hour, span.nodes) == ("onprem/gpus", 8, 2)
    assert (span.start, span.end) == (0, 7200)


def test_hosts_without_a_price_are_not_on_the_bill():
    assert host_spans(Placement(clusters=[cluster("onprem", 0)]), 7200) == []
    assert host_spans(None, 7200) == []
