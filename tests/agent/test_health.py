"""A fault taints the node, and the taint is lifted: by rules alone, and against an API server."""

from __future__ import annotations

import json

import pytest
from fake_kube import fake_kube

from colony.agent.client import Client
from colony.agent.health import TAINT, TOLD, Deed, Line, NodeState, hear, read_nodes, settle
from colony.agent.health_keeper import HealthKeeper, HealthPlace, health_keeper_of
from colony.agent.observe import is_leaving

OFF_BUS = "NVRM: Xid (PCI:0000:4e:00): 79, GPU has fallen off the bus."
ROWS = "NVRM: Xid (PCI:0000:4e:00): 63, row remapping"
APP = "NVRM: Xid (PCI:0000:4e:00): 31, MMU fault"
SPACE = "/api/v1/namespaces/colony-health"
OTHERS = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


def heard(*lines, state=None, allow=(), now=1000.0):
    return hear(state, [Line(*line) for line in lines], frozenset(allow), now)


def test_an_application_s_fault_and_one_that_is_borne_leave_no_trace():
    assert heard(("b1", 5.0, APP), ("b1", 6.0, ROWS), allow=["xid-63"]) is None


def test_a_hardware_fault_asks_for_a_taint_until_it_is_there():
    state = heard(("b1", 5.0, ROWS), ("b1", 6.0, OFF_BUS))
    assert settle(state, "b1", False, 0.0) == (state, Deed("xid-79", OFF_BUS))
    seen, deed = settle(state, "b1", True, 0.0)
    assert (seen.tainted, deed) == (True, None)


def test_what_was_dealt_with_is_not_heard_again():
    state = NodeState("b1", heard=6.0)
    assert heard(("b1", 5.0, ROWS), ("b1", 6.0, OFF_BUS), state=state) == state
    again = heard(("b1", 6.5, OFF_BUS), state=state)
    assert again.faults == ("xid-79",)


def test_who_takes_the_taint_off_has_looked_at_it():
    state = NodeState("b1", heard=6.0, faults=("xid-79",), tainted=True)
    after, deed = settle(state, "b1", False, 0.0)
    assert (after.faults, after.tainted, deed) == ((), False, None)
    assert heard(("b1", 6.0, OFF_BUS), state=after) == after


def test_a_reboot_lifts_it_and_the_old_log_does_not_bring_it_back():
    state = NodeState("b1", heard=6.0, faults=("xid-79",), tainted=True)
    after, deed = settle(state, "b2", True, 0.0)
    assert (after.faults, deed) == ((), Deed(None))
    assert heard(("b1", 9.0, OFF_BUS), state=after) == after
    done, deed = settle(after, "b2", False, 0.0)
    assert (done.tainted, deed) == (False, None)
    assert heard(("b2", 1.0, OFF_BUS), state=done).faults == ("xid-79",)


def test_who_died_after_the_taint_and_before_the_reboot_is_followed_up():
    state = NodeState("b1", heard=6.0, faults=("xid-79",))  # it never saw its taint
    assert settle(state, "b2", True, 0.0)[1] == Deed(None)


def test_it_is_lifted_after_a_quiet_time_only_where_one_was_named():
    state = NodeState("b1", heard=6.0, faults=("xid-94",), since=1000.0, tainted=True)
    assert settle(state, "b1", True, 9e9) == (state, None)
    assert settle(state, "b1", True, 1599.0, 600.0) == (state, None)
    after, deed = settle(state, "b1", True, 1600.0, 600.0)
    assert (after.faults, deed) == ((), Deed(None))


def test_a_taint_of_somebody_else_is_not_taken_off():
    assert settle(NodeState("b1"), "b1", True, 0.0) == (NodeState("b1"), None)


class Bed:
    """Three nodes with a watch each; time goes on by hand."""

    def __init__(self, kube):
        self.kube, self.now, self.said, self.open = kube, 100.0, [], None
        self.place = HealthPlace("colony-health", "colony-health-nodes")
        for name in ("n1", "n2", "n3"):
            node = {"status": {"nodeInfo": {"bootID": f"{name}-b1"}}, "spec": {"taints": [OTHERS]}}
            kube.put(f"/api/v1/nodes/{name}", node)
            labels = {"app.kubernetes.io/name": "colony-health"}
            pod = {"metadata": {"labels": labels}, "spec": {"nodeName": name}}
            kube.put(f"{SPACE}/pods/w-{name}", {**pod, "status": {"phase": "Running"}})
            kube.logs[f"{SPACE}/pods/w-{name}"] = ""
        self.restart()

    def restart(self):
        self.keeper = HealthKeeper(self.client(), self.place, self.said.append, lambda: self.now)

    def client(self):
        self.close()
        self.open = Client(self.kube.url)
        return self.open

    def close(self):
        if self.open:
            self.open.close()

    def says(self, node, at, text, boot="b1"):
        line = json.dumps({"boot": f"{node}-{boot}", "at": at, "text": text})
        self.kube.logs[f"{SPACE}/pods/w-{node}"] += f"{line}\n"

    def look(self, times=1):
        for _ in range(times):
            self.now += 5.0
            self.keeper.turn()

    def node(self, name):
        return self.kube.objects[f"/api/v1/nodes/{name}"]

    def taint(self, name):
        taints = self.node(name)["spec"].get("taints") or []
        assert OTHERS in taints  # another's taint is never lost
        return next((each["value"] for each in taints if each["key"] == TAINT), None)

    def untaint(self, name):
        self.kube.put(f"/api/v1/nodes/{name}", {**self.node(name), "spec": {"taints": [OTHERS]}})


@pytest.fixture
def bed():
    with fake_kube() as served:
        made = Bed(served)
        yield made
        made.close()


def test_the_node_is_tainted_and_the_others_are_not(bed):
    bed.says("n1", 5.0, APP)
    bed.says("n2", 5.0, OFF_BUS)
    bed.look()
    assert [bed.taint(name) for name in ("n1", "n2", "n3")] == [None, "xid-79", None]
    assert bed.node("n2")["metadata"]["annotations"] == {TOLD: OFF_BUS}
    assert bed.said == [f"node n2 is tainted, xid-79: {OFF_BUS}"]
    assert is_leaving(bed.node("n2")) and not is_leaving(bed.node("n1"))


def test_nothing_is_written_while_all_is_well(bed):
    bed.says("n1", 5.0, APP)
    bed.look(3)
    assert bed.kube.writes == []


def test_a_taint_taken_off_by_hand_stays_off_until_the_next_fault(bed):
    bed.says("n1", 5.0, OFF_BUS)
    bed.look(2)
    bed.untaint("n1")
    bed.restart()
    bed.look(3)
    assert bed.taint("n1") is None
    bed.says("n1", 700.0, OFF_BUS)
    bed.look()
    assert bed.taint("n1") == "xid-79"


def test_a_reboot_takes_the_taint_and_its_reason_off(bed):
    bed.says("n1", 5.0, OFF_BUS)
    bed.look(2)
    rebooted = {**bed.node("n1"), "status": {"nodeInfo": {"bootID": "n1-b2"}}}
    bed.kube.put("/api/v1/nodes/n1", rebooted)
    bed.look(2)
    assert bed.taint("n1") is None
    assert TOLD not in bed.node("n1")["metadata"]["annotations"]
    assert bed.said[-1] == "node n1 is well again: xid-79 is over"


@pytest.mark.parametrize("died_before", ["the node was tainted", "it saw the taint"])
def test_killed_anywhere_the_next_one_goes_on(bed, died_before):
    bed.says("n1", 5.0, OFF_BUS)
    if died_before == "the node was tainted":
        bed.kube.forbidden.add("/api/v1/nodes/n1")
        with pytest.raises(Exception, match="403"):
            bed.look()
        bed.kube.forbidden.clear()
    else:
        bed.look()
    bed.restart()
    bed.look(2)
    assert bed.taint("n1") == "xid-79"
    state = bed.kube.objects[f"{SPACE}/configmaps/colony-health-nodes"]["data"]["nodes"]
    assert read_nodes(state)["n1"].tainted


def test_a_node_that_is_gone_is_forgotten_and_a_silent_one_holds_nobody_up(bed):
    bed.says("n1", 5.0, OFF_BUS)
    bed.look(2)
    del bed.kube.objects["/api/v1/nodes/n1"]
    del bed.kube.logs[f"{SPACE}/pods/w-n1"]
    bed.says("n2", 5.0, ROWS)
    bed.look()
    assert bed.taint("n2") == "xid-63"
    state = bed.kube.objects[f"{SPACE}/configmaps/colony-health-nodes"]["data"]["nodes"]
    assert set(read_nodes(state)) == {"n2"}


def test_many_nodes_are_read_in_turns(bed):
    labels = {"app.kubernetes.io/name": "colony-health"}
    for index in range(50):
        path = f"{SPACE}/pods/x{index:02d}"
        pod = {"metadata": {"labels": labels}, "spec": {"nodeName": f"x{index:02d}"}}
        bed.kube.put(path, {**pod, "status": {"phase": "Running"}})
    bed.kube.put("/api/v1/nodes/x49", {"spec": {"taints": [OTHERS]}})
    bed.kube.logs[f"{SPACE}/pods/x49"] = json.dumps({"boot": "b", "at": 1.0, "text": OFF_BUS})
    bed.look(2)
    assert bed.taint("x49") is None
    bed.look()
    assert bed.taint("x49") == "xid-79"


def test_the_settings_come_from_the_agent_s_config(bed):
    body = {"namespace": "colony-health", "name": "s", "allow": ["xid-79"], "lift_after": 60}
    bed.keeper = health_keeper_of(body, bed.client(), bed.said.append)
    bed.says("n1", 5.0, OFF_BUS)
    bed.look()
    assert bed.taint("n1") is None
    with pytest.raises(KeyError):
        health_keeper_of({"name": "s"}, bed.client(), bed.said.append)


def test_a_state_of_somebody_else_is_refused():
    with pytest.raises(ValueError, match="not ours"):
        read_nodes('{"n1": {"strange": 1}}')
