"""The sweep of Google Cloud, against a stand-in for its command line with answers of its shape."""

import json

import pytest

from colony.inventory import gcp, inventory_of
from colony.inventory.gcp import GcpInventory
from colony.lifecycle.ground import Thing
from colony.market.catalog import Catalog
from jobs.errors import ColonyError, NotReady

COMPUTE = "https://www.googleapis.com/compute/v1/projects/p"
LABELS = {"colony": "demo", "colony-stack": "demo"}
ABOUT = "colony=demo, colony-stack=demo, colony-expires=1767232800"
CLUSTER = {
    "name": "demo-main-gke", "location": "us-central1", "status": "RUNNING",
    "resourceLabels": LABELS,
    "selfLink": "https://container.googleapis.com/v1/projects/p/locations/us-central1/clusters/demo-main-gke",
}  # fmt: skip
NODE = {
    "name": "gke-demo-1", "zone": f"{COMPUTE}/zones/us-central1-a", "status": "RUNNING",
    "labels": {**LABELS, "goog-k8s-cluster-name": "demo-main-gke"},
    "selfLink": f"{COMPUTE}/zones/us-central1-a/instances/gke-demo-1",
}  # fmt: skip
DISK = {
    "name": "pvc-1", "zone": f"{COMPUTE}/zones/us-central1-f", "status": "READY",
    "labels": {"goog-k8s-cluster-name": "demo-main-gke"},
    "selfLink": f"{COMPUTE}/zones/us-central1-f/disks/pvc-1",
}  # fmt: skip
NETWORK = {"name": "demo-net", "description": ABOUT, "selfLink": f"{COMPUTE}/global/networks/demo"}
ACCOUNT = {
    "name": "projects/p/serviceAccounts/demo-node@p.iam.gserviceaccount.com",
    "email": "demo-node@p.iam.gserviceaccount.com", "description": ABOUT,
}  # fmt: skip


class Gcloud:
    """Answers `list` by its words and keeps what it was asked."""

    def __init__(self, answers=None, error=""):
        self.answers, self.error, self.asked = answers or {}, error, []

    def __call__(self, arguments):
        self.asked.append(arguments)
        if self.error:
            raise ColonyError(self.error)
        words = " ".join(each for each in arguments if not each.startswith("--"))
        return json.dumps(self.answers.get(words, []))


EVERYTHING = {
    "container clusters list": [CLUSTER],
    "compute instances list": [NODE],
    "compute disks list": [DISK],
    "compute networks list": [NETWORK],
    "iam service-accounts list": [ACCOUNT],
}


def found(answers, tag="colony-stack", value="demo", region="us-central1"):
    return GcpInventory(region, "", Gcloud(answers)).find(tag, value)


def test_what_takes_labels_and_what_does_not_is_found_in_the_order_it_can_go():
    assert [thing.type.rpartition("/")[2] for thing in found(EVERYTHING)] == [
        "Cluster", "Instance", "Network", "ServiceAccount",
    ]  # fmt: skip
    assert all(thing.tags["colony-stack"] == "demo" for thing in found(EVERYTHING))


def test_what_is_left_has_its_price():
    node = {**NODE, "machineType": f"{COMPUTE}/zones/us-central1-a/machineTypes/g2-standard-8",
            "scheduling": {"provisioningModel": "SPOT"}}  # fmt: skip
    disk = {**DISK, "labels": LABELS, "sizeGb": "73", "type": f"{COMPUTE}/x/diskTypes/pd-balanced"}
    strange = {**disk, "selfLink": "https://x/disks/h", "type": "https://x/hyperdisk-ml"}
    rule = {"selfLink": "https://x/forwardingRules/f", "labels": LABELS}
    address = {"selfLink": "https://x/addresses/a", "labels": LABELS, "addressType": "EXTERNAL"}
    router = {"selfLink": "https://x/routers/r", "description": ABOUT, "nats": [{"name": "n"}]}
    prices = {
        thing.id.rsplit("/", 1)[-1]: thing.usd_per_hour
        for thing in found({
            **EVERYTHING, "compute instances list": [node], "compute disks list": [disk, strange],
            "compute forwarding-rules list": [rule], "compute addresses list": [address],
            "compute routers list": [router],
        })
    }  # fmt: skip
    assert prices == {
        "demo-main-gke": 0.10, "f": 0.025, "a": 0.01, "r": 0.0064, "pvc-1": pytest.approx(0.01),
        "gke-demo-1": Catalog.load(None).price_of("g2-standard-8", "us-central1", spot=True),
        "h": None, "demo": 0.0, "demo-node@p.iam.gserviceaccount.com": 0.0,
    } and prices["gke-demo-1"]  # fmt: skip


def test_what_a_clusters_controllers_made_is_found_by_its_name():
    made = found(EVERYTHING, "kubernetes.io/cluster/demo-main-gke", None)
    assert [thing.id.rsplit("/", 1)[-1] for thing in made] == ["gke-demo-1", "pvc-1"]


def test_other_stacks_other_regions_and_what_is_going_are_not_listed():
    other = {**NETWORK, "description": "colony=demo, colony-stack=demo-two"}
    assert found({"compute networks list": [other]}) == []
    assert found({"container clusters list": [{**CLUSTER, "status": "STOPPING"}]}) == []
    assert found({"container clusters list": [{**CLUSTER, "location": "us-central10"}]}) == []
    assert found({"compute instances list": [NODE]}, region="us-central") == []
    assert len(found(EVERYTHING, region="europe-west4")) == 2  # in no region


def test_a_stopped_machine_is_still_there():
    assert len(found({"compute instances list": [{**NODE, "status": "TERMINATED"}]})) == 1


def test_any_value_of_a_tag_is_found_and_the_service_filters_first():
    ask = Gcloud(EVERYTHING)
    assert len(GcpInventory("us-central1", "p-1", ask).find("colony")) == 4
    assert [
        "compute", "networks", "list", "--filter=description~colony", "--format=json",
        "--project=p-1",
    ] in ask.asked  # fmt: skip
    assert "--filter=resourceLabels.colony:*" in ask.asked[0]


@pytest.mark.parametrize(
    ("entry", "kind", "order"),
    [
        (CLUSTER, "container.googleapis.com/Cluster",
         "container clusters delete --async demo-main-gke --location=us-central1 --quiet"),
        (DISK, "compute.googleapis.com/Disk", f"compute disks delete {DISK['selfLink']} --quiet"),
        (ACCOUNT, "iam.googleapis.com/ServiceAccount",
         f"iam service-accounts delete {ACCOUNT['email']} --quiet"),
    ],
)  # fmt: skip
def test_a_thing_is_deleted_by_its_address(entry, kind, order):
    ask = Gcloud()
    GcpInventory("us-central1", "", ask).delete(Thing(gcp._address(entry), kind, {}))
    assert [" ".join(each) for each in ask.asked] == [order]


def test_what_is_gone_already_is_no_error_and_a_refusal_is():
    thing = Thing(NETWORK["selfLink"], "compute.googleapis.com/Network", {})
    gone = "ERROR: (gcloud.compute.networks.delete) The resource 'x' was not found"
    GcpInventory("us-central1", "", Gcloud(error=gone)).delete(thing)
    used = "The network resource 'x' is already being used by 'projects/p/firewall'"
    with pytest.raises(ColonyError, match="already being used"):
        GcpInventory("us-central1", "", Gcloud(error=used)).delete(thing)


def test_a_service_that_was_never_turned_on_has_nothing_and_one_that_refuses_is_an_error():
    off = "API [compute.googleapis.com] not enabled: SERVICE_DISABLED"
    assert GcpInventory("us-central1", "", Gcloud(error=off)).find("colony") == []
    with pytest.raises(ColonyError, match="PERMISSION_DENIED"):
        GcpInventory("us-central1", "", Gcloud(error="PERMISSION_DENIED")).find("colony")


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A `gcloud` on PATH that says what it is given."""

    def make(script):
        path = tmp_path / "gcloud"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        for name in gcp._PROJECT:
            monkeypatch.delenv(name, raising=False)
        return tmp_path

    return make


def test_the_project_is_the_one_that_the_provider_takes(program, monkeypatch):
    folder = program(f'echo "$@" >> "$(dirname "$0")/asked"; echo "[{json.dumps({})}]"')
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "later")
    monkeypatch.setenv("GOOGLE_PROJECT", "first")
    inventory_of("gcp", "us-central1").check()
    asked = (folder / "asked").read_text()
    assert asked == "container clusters list --limit=1 --format=json --project=first\n"


def test_who_is_not_signed_in_is_told(program):
    program("echo 'You do not currently have an active account selected.' >&2; exit 1")
    with pytest.raises(NotReady, match=r"active account.*gcloud auth login"):
        inventory_of("gcp", "us-central1").check()


def test_without_the_command_line_it_is_not_ready(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReady, match="`gcloud` is missing"):
        inventory_of("gcp", "us-central1")


def test_everywhere_is_every_region():
    other = {**CLUSTER, "location": "europe-west4", "selfLink": "https://x/clusters/other"}
    answers = {**EVERYTHING, "container clusters list": [CLUSTER, other]}
    assert "https://x/clusters/other" not in {thing.id for thing in found(answers)}
    assert "https://x/clusters/other" in {thing.id for thing in found(answers, region="")}
