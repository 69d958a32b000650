"""The sweep of Azure, against a stand-in for its command line."""

import json
import stat

import pytest

from colony.inventory import inventory_of
from colony.inventory.azure import AzureInventory
from colony.lifecycle.ground import Thing
from colony.market.catalog import Catalog
from jobs.errors import ColonyError, NotReady

GROUP = "/subscriptions/s/resourceGroups/demo"
GROUPS = "microsoft.resources/subscriptions/resourcegroups"
TAGS = {"colony-stack": "demo"}


def entry(id_, type_, state="Succeeded", location="eastus"):
    return {"id": id_, "type": type_, "location": location, "tags": TAGS,
            "properties": {"provisioningState": state}}  # fmt: skip


def row(id_, type_):
    return {"id": id_, "type": type_, "tags": TAGS, "properties": {}}


def priced(type_, name, sku=None, properties=None):
    return {"id": f"{GROUP}/providers/{type_}/{name}", "type": type_, "location": "eastus",
            "sku": sku, "properties": properties}  # fmt: skip


@pytest.fixture
def az(tmp_path, monkeypatch):
    """Answers from files, and keeps what it was asked."""

    def answers(groups=(), resources=(), error=""):
        (tmp_path / "group").write_text(json.dumps(list(groups)))
        (tmp_path / "resource").write_text(json.dumps(list(resources)))
        (tmp_path / "rest").write_text(json.dumps({"data": []}))
        script = f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n'
        script += (
            f"echo '{error}' >&2; exit 1\n" if error else f"cat {tmp_path}/$1 2>/dev/null\n:\n"
        )
        path = tmp_path / "az"
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return lambda: (tmp_path / "asked").read_text().splitlines()

    return answers


def test_a_group_stands_for_all_that_is_in_it(az):
    inside = entry(f"{GROUP}/providers/Microsoft.Compute/disks/d", "Microsoft.Compute/disks")
    outside = entry("/subscriptions/s/resourceGroups/mc/providers/x/y/z", "x/y")
    asked = az([entry(GROUP, "")], [inside, outside])
    found = inventory_of("azure", "eastus").find("colony-stack", "demo")
    assert [thing.id for thing in found] == [GROUP, outside["id"]]
    assert found[0].tags == TAGS
    assert asked()[0] == "group list --tag colony-stack=demo --output json"


def test_other_regions_are_not_listed_and_what_is_going_is_said(az):
    az([entry(GROUP, "", "Deleting"), entry(GROUP + "2", "", location="westus2")])
    (only,) = inventory_of("azure", "eastus").find("colony-stack")
    assert (only.id, only.going) == (GROUP, True)


def test_what_the_controllers_of_a_cluster_made_is_in_the_group_that_aks_keeps(az):
    asked = az([])
    inventory_of("azure", "eastus").find("kubernetes.io/cluster/demo-main")
    assert "--tag aks-managed-cluster-name=demo-main" in asked()[0]


def test_everywhere_asks_the_resource_graph_of_all_subscriptions_page_by_page():
    (groups, more, parts) = ([row(GROUP, GROUPS)], [row(GROUP + "9", GROUPS)], [
        row(f"{GROUP}/providers/Microsoft.Compute/disks/d", "microsoft.compute/disks"),
        row("/subscriptions/t/resourceGroups/x/providers/a/b/c", "a/b"),
    ])  # fmt: skip
    costs = [priced("microsoft.compute/disks", "d", {"name": "Premium_LRS"}, {"diskSizeGB": 100})]
    answers = iter([{"data": groups, "$skipToken": "next"}, {"data": more}, {"data": parts},
                    {"data": costs}])  # fmt: skip
    asked = []

    def ask(order):
        asked.append(order)
        return json.dumps(next(answers))

    found = AzureInventory("", ask).find("colony-stack", "demo")
    assert [thing.id for thing in found] == [
        GROUP, GROUP + "9", "/subscriptions/t/resourceGroups/x/providers/a/b/c",
    ]  # fmt: skip
    bodies = [json.loads(order[order.index("--body") + 1]) for order in asked]
    assert bodies[0]["query"].startswith(
        'resourcecontainers | where tags["colony-stack"] == "demo" |'
    )
    assert bodies[1]["options"]["$skipToken"] == "next"
    assert 'resourceGroup in~ ("demo", "demo9", "x")' in bodies[3]["query"]
    assert [thing.usd_per_hour for thing in found] == [pytest.approx(16.5 / 730), None, None]


def test_a_group_costs_what_is_in_it():
    rows = [
        priced("Microsoft.ContainerService/managedClusters", "c", {"tier": "Standard"}),
        priced("microsoft.compute/virtualmachinescalesets", "s",
               {"name": "Standard_NC24ads_A100_v4", "capacity": 2}, {}),
        priced("microsoft.network/publicipaddresses", "a", {"name": "Standard"}),
        priced("microsoft.network/natgateways", "n", {"name": "Standard"}),
        priced("microsoft.network/loadbalancers", "l", {"name": "Standard"}),
        priced("microsoft.network/virtualnetworks", "v"),
        priced("microsoft.strange/things", "t"),
    ]  # fmt: skip
    answers = {"group": [entry(GROUP, "")], "resource": [], "rest": {"data": rows}}
    (found,) = AzureInventory("eastus", lambda order: json.dumps(answers[order[0]])).find("colony")
    machine = Catalog.load(None).price_of("Standard_NC24ads_A100_v4", "eastus")
    assert found.usd_per_hour == pytest.approx(0.1 + 2 * machine + 0.005 + 0.045 + 0.025)


def test_where_nobody_says_what_it_costs_it_may_cost():
    def ask(order):
        if order[0] == "rest":
            raise ColonyError("no access")
        return json.dumps([entry(GROUP, "")] if order[0] == "group" else [])

    (found,) = AzureInventory("eastus", ask).find("colony")
    assert (found.usd_per_hour, found.costs) == (None, True)


@pytest.mark.parametrize(
    ("thing", "order"),
    [
        (Thing(GROUP, "Microsoft.Resources/resourceGroups", {}),
         "group delete --name demo --yes --no-wait --subscription s"),
        (Thing(f"{GROUP}/p/d", "Microsoft.Compute/disks", {}),
         f"resource delete --ids {GROUP}/p/d --no-wait"),
    ],
)  # fmt: skip
def test_deletions_begin_and_are_not_waited_for(az, thing, order):
    asked = az()
    inventory_of("azure", "eastus").delete(thing)
    assert asked() == [order]


def test_what_is_gone_already_is_no_error_and_a_refusal_is(az):
    thing = Thing(GROUP, "Microsoft.Resources/resourceGroups", {})
    az(error="(ResourceGroupNotFound) Resource group demo could not be found.")
    inventory_of("azure", "eastus").delete(thing)
    az(error="(ScopeLocked) The scope is locked.")
    with pytest.raises(ColonyError, match="ScopeLocked"):
        inventory_of("azure", "eastus").delete(thing)


def test_who_is_not_signed_in_is_told(az):
    az(error="Please run az login")
    with pytest.raises(NotReady, match="az login"):
        inventory_of("azure", "eastus").check()


def test_without_the_command_line_it_is_not_ready(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReady, match="`az` is missing"):
        inventory_of("azure", "eastus")
