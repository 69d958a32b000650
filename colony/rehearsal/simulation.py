"""One world's far end: faults, time and the journal around the rules of clouds and clusters."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from colony.rehearsal import schema
from colony.rehearsal.calls import Call, Config, Refusal, Result
from colony.rehearsal.cloud import Cloud
from colony.rehearsal.diffing import Difference, differences
from colony.rehearsal.drift import as_there
from colony.rehearsal.faults import Fault, Faults, Kill, QuotaRule
from colony.rehearsal.kubernetes import Kubernetes
from colony.rehearsal.making import machines
from colony.rehearsal.package import Package, Seconds
from colony.rehearsal.realhosts import COMMAND
from colony.rehearsal.state import Change, Store, Thing
from colony.rehearsal.templates import UNKNOWN, TemplateError, render
from colony.rehearsal.wire import unmask

__all__ = ["Simulation"]


@dataclass(frozen=True)
class _Attempt:
    """One try of one operation, and the faults that hit it."""

    number: int
    faults: list[Fault]
    usual: float

    @property
    def seconds(self) -> float:
        seconds = self.usual
        for fault in self.faults:
            seconds = fault.seconds(seconds)
        return seconds

    def kill(self, when: Kill) -> bool:
        return any(fault.kill is when for fault in self.faults)

    @property
    def error(self) -> Fault | None:
        return next((fault for fault in self.faults if fault.error), None)


Clusters = Callable[[Cloud, Package, "threading.RLock"], Kubernetes]
Capture = Callable[[str, str, str], bool]
"""(operation, URN, "before" or "after") -> whether the run is killed there."""
WAITS = "advance"
"""The one change of the control that is only time."""


PLACE = {"metadata.name", "metadata.namespace", "name", "namespace"}


class Simulation:
    """Operations on a world. Thread-safe; one is applied at a time, but those on objects of a
    real API server go on side by side and take the time that they really take.

    `pause` really waits (for tests of the computed timeline), `kill` ends the run's process,
    `clusters` makes the rules of the clusters: where their objects are. `hosts` really runs
    commands, and gives their output. `capture` is told of every boundary of an operation, while
    the disk says what it would say had the run died there.
    """

    def __init__(
        self,
        store: Store,
        packages: Mapping[str, Package],
        seed: int,
        key: bytes,
        faults: Faults,
        pause: Callable[[float], None] = lambda seconds: None,
        kill: Callable[[], None] = lambda: None,
        clusters: Clusters = lambda cloud, package, lock: Kubernetes(cloud, package),
        hosts: Callable[[Call], str] | None = None,
        capture: Capture = lambda op, urn, when: False,
    ) -> None:
        self.store, self.packages, self.seed, self.faults = store, packages, seed, faults
        self.lock = threading.RLock()
        self.cloud = Cloud(store.world, packages, seed, key)
        self.kubernetes = clusters(self.cloud, packages["kubernetes"], self.lock)
        self._key, self._pause, self._kill, self._hosts = key, pause, kill, hosts
        self._capture = capture

    def check(self, call: Call) -> tuple[dict[str, Any], list[schema.Failure]]:
        """The inputs with their defaults, and what is wrong with them."""
        failures = schema.check(call.type, call.inputs)
        if failures:
            return call.inputs, failures
        with self.lock:
            if self._on_cluster(call):
                return self.kubernetes.check(call)
            if not schema.knows(call.type):
                return call.inputs, [schema.Failure("", f"{call.type} is no type of its package")]
            try:
                inputs = {**call.inputs, **self.cloud.autonamed(call)}
                return inputs, self.cloud.misnamed(call, inputs)
            except Refusal as refused:
                return call.inputs, [schema.Failure("", refused.message)]

    def diff(self, call: Call, old_inputs: dict[str, Any]) -> tuple[list[Difference], bool]:
        """What changed; and whether a replacement has to delete first."""
        if self._on_cluster(call):
            found = differences(old_inputs, call.inputs, self.kubernetes.replaced_by(call))
            return found, _same_place(found)
        rule = self.cloud.rule(call.package, call.type)
        found = differences(old_inputs, call.inputs, rule.replace)
        found += self._tag_differences(call)
        same = self.cloud.keeps_name(rule, old_inputs, call.inputs)
        return found, same and any(d.replace for d in found)

    def preview(self, call: Call) -> dict[str, Any]:
        """What a create or update would give: computed outputs are not known yet."""
        outputs = schema.outputs(call.type)
        missing = {n: UNKNOWN for n, output in outputs.items() if output.always}
        known = {name: value for name, value in call.olds.items() if name in missing}
        return {**missing, **known, **call.inputs}

    def perform(self, call: Call) -> Result:
        """Create, update or delete. Raises Refusal; what happened is on the disk either way."""
        attempt = self._attempt(call)
        self._pause(attempt.seconds)
        self._boundary(call.op, call.urn, "before")
        if attempt.kill(Kill.BEFORE):
            self._commit(call, attempt, Result(call.id), "killed before it took effect")
            self._kill()
            raise Refusal("Killed", "the run was killed before this took effect")
        if not attempt.error:
            self._vacate(call)
        try:
            with nullcontext() if self._outside(call) else self.lock:
                result = self._tried(call, attempt)
        finally:
            self._boundary(call.op, call.urn, "after")
        if attempt.kill(Kill.AFTER):
            self._kill()
        return result

    def read(self, call: Call) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """(inputs, outputs), or None where it is gone."""
        attempt = self._attempt(call)
        if attempt.error:
            self._commit(call, attempt, Result(call.id), attempt.error.error or "")
            raise self._fault(call, attempt.error)
        with nullcontext() if self._outside(call) else self.lock:
            if self._on_cluster(call):
                obj = self.kubernetes.read(call)
                if obj is None:
                    return None
                rules = self.kubernetes.kind_of(str(obj.get("kind"))).drift
                inputs = as_there(call.inputs, obj, rules) if call.inputs else obj
                return inputs, unmask(obj, call.olds, self._key)
            thing = self.cloud.read(call)
        return None if thing is None else self._read(call, thing)

    def invoke(self, package: Package, token: str, args: dict[str, Any], region: str) -> Any:
        """A provider function."""
        with self.lock:
            return self.cloud.invoke(package, token, args, region)

    def change(self, op: str, make: Callable[[], list[Change]], **facts: Any) -> list[Change]:
        """Commits changes that no provider asked for: the control's own."""
        with self.lock:
            changes = make()
            entry = {"at": self.store.world.clock, "op": op, **facts, "changes": changes}
            if not changes:
                return changes
            told = op != WAITS
            if told:
                self._boundary(op, str(facts.get("id", "")), "before")
            self.store.commit(entry)
            if told:
                self._boundary(op, str(facts.get("id", "")), "after")
            return changes

    def refuse(self, op: str, package: str, type_: str, urn: str, region: str = "") -> None:
        """Faults meet whoever asks without the engine, too. Raises Refusal where one does."""
        if not self.faults.faults:
            return
        config = Config(region=region)
        name = urn.rsplit("::", 1)[-1]
        call = Call(op, self.packages[package], type_, urn, name, {}, config)
        attempt = self._attempt(call)
        if attempt.error:
            self._commit(call, attempt, Result(), attempt.error.error or "")
            raise self._fault(call, attempt.error)

    def vacate(self, id: str, type: str | None = None) -> None:
        """Before the control deletes a thing: what the world has put into it, if a cluster."""
        with self.lock:
            things = [t for t in self.cloud.all() if t.id == id and type in (None, t.type)]
        for thing in things:
            if thing.cluster:
                self.kubernetes.vacate(thing.cluster, threading.Event())

    def _boundary(self, op: str, urn: str, when: str) -> None:
        """Nobody hears the answer to what a run was killed at."""
        if self._capture(op, urn, when):
            self._kill()
            raise Refusal("Killed", f"the run was killed {when} this took effect")

    def _vacate(self, call: Call) -> None:
        """A real API server forgets a cluster's objects only when it is asked to."""
        if call.op != "delete" or self._on_cluster(call):
            return
        with self.lock:
            thing = self.cloud.read(call)
            try:
                blocked = thing is None or not thing.cluster or not self.cloud.removal(thing)
            except Refusal:
                blocked = True
        if thing and thing.cluster and not blocked:
            self.kubernetes.vacate(thing.cluster, call.config.stopped)

    def _tried(self, call: Call, attempt: _Attempt) -> Result:
        began = time.monotonic()
        try:
            if fault := attempt.error or self._over_quota(call):
                raise self._failed(call, fault)
            try:
                result = self._run(call)
            finally:
                if self._outside(call):
                    attempt = replace(attempt, usual=round(time.monotonic() - began, 3))
            result.changes += self._kubectl(call, attempt)
            self._refuse_late(call, attempt, result)
        except Refusal as refused:
            seconds = attempt.seconds if refused.seconds is None else refused.seconds
            self._commit(call, attempt, refused.half or Result(call.id), refused.message, seconds)
            raise
        result.seconds = attempt.seconds
        self._commit(call, attempt, result)
        return result

    def _run(self, call: Call) -> Result:
        rules: Cloud | Kubernetes = self.kubernetes if self._on_cluster(call) else self.cloud
        if self._on_host(call):
            return self._commanded(call)
        run: Callable[[Call], Result] = getattr(rules, call.op)
        try:
            return run(call)
        except TemplateError as error:
            raise Refusal("MissingRule", f"{call.type}: the package's data: {error}") from None

    def _commanded(self, call: Call) -> Result:
        """A command's script first, without the lock: it takes the time that it takes."""
        said = self._hosts(call) if self._hosts else ""
        with self.lock:
            result: Result = getattr(self.cloud, call.op)(call)
        if result.outputs:
            result.outputs["stdout"] = said
            result.secrets |= {("stdout",)}
            for change in result.changes:
                change[2]["outputs"]["stdout"] = ""
        return result

    def _refuse_late(self, call: Call, attempt: _Attempt, result: Result) -> None:
        """A create that outlasts its time is there nevertheless."""
        if call.timeout and attempt.seconds > call.timeout and call.op == "create":
            raise Refusal(
                "Timeout",
                f"timeout while waiting for {call.name} to become ready "
                f"(timeout: {call.timeout:.0f}s, it takes {attempt.seconds:.0f}s)",
                call.timeout,
                result,
            )

    def _failed(self, call: Call, fault: Fault) -> Refusal:
        refused = self._fault(call, fault)
        rule = call.package.types.get(call.type)
        if rule and call.op == "create" and fault.error in rule.fails_half_made:
            refused.half = self.cloud.half(call, fault.nodes)
        return refused

    def _over_quota(self, call: Call) -> Fault | None:
        """The world's own limits, met by a create that would pass one."""
        if call.op != "create" or not self.faults.quotas or self._on_cluster(call):
            return None
        rule = call.package.types.get(call.type)
        if rule is None or not any(price.instance for price in rule.price):
            return None
        wanted = machines(rule, self.cloud.context_of(call, 1))
        for quota in self.faults.quotas:
            if not quota.holds(call.region, self.cloud.machine(call.package, call.inputs)):
                continue
            if wanted + self._running(quota) > quota.nodes:
                return Fault(type=call.type, error="quota")
        return None

    def _running(self, quota: QuotaRule) -> float:
        def counted(thing: Thing) -> bool:
            package = self.packages[thing.package]
            return quota.holds(thing.region, self.cloud.machine(package, thing.inputs))

        return sum(thing.nodes for thing in self.cloud.all() if thing.nodes and counted(thing))

    def _fault(self, call: Call, fault: Fault) -> Refusal:
        name = str(fault.error)
        rule = call.package.types.get(call.type)
        text = (rule.errors.get(name) if rule else None) or call.package.errors.get(name)
        if fault.message:
            return Refusal(name, fault.message, text.seconds if text else None)
        if text is None:
            return Refusal(name, f"{name}: simulated for {call.type}")
        facts = {**self.cloud.context(call), "code": text.code, "server": "https://the-api-server"}
        return Refusal(text.code, str(render(text.message, facts)), text.seconds)

    def _kubectl(self, call: Call, attempt: _Attempt) -> list[Change]:
        """What the user's own job makes by the Kubernetes API while the operation runs."""
        objects = [obj for fault in attempt.faults for obj in fault.objects]
        if not objects or not self._on_cluster(call):
            return []
        cluster = self.kubernetes.cluster(call.config)
        return [change for obj in objects for change in self.kubernetes.put(cluster, obj)]

    def _attempt(self, call: Call) -> _Attempt:
        with self.lock:
            number = self.store.world.attempts.get((call.op, call.urn), 0) + 1
            usual = getattr(self._seconds(call), call.op, 0.0)
            if not self.faults.faults:
                return _Attempt(number, [], usual)
            stored = self.cloud.read(call) if call.id and not self._on_cluster(call) else None
            inputs = call.inputs or (stored.inputs if stored else call.olds)
            facts = {"type": call.type, "region": call.region, "inputs": inputs}
            hits = [
                fault
                for fault in self.faults.faults
                if fault.hits(call.op, call.urn, number, self.seed, facts)
            ]
            return _Attempt(number, hits, usual)

    def _seconds(self, call: Call) -> Seconds:
        if self._on_cluster(call):
            return self.kubernetes.seconds(call)
        rule = call.package.types.get(call.type)
        return rule.seconds if rule else Seconds()

    def _commit(
        self,
        call: Call,
        attempt: _Attempt,
        result: Result,
        error: str = "",
        seconds: float | None = None,
    ) -> None:
        entry: dict[str, Any] = {
            "at": self.store.world.clock, "op": call.op, "urn": call.urn, "type": call.type,
            "id": result.id or call.id, "attempt": attempt.number,
            "seconds": attempt.seconds if seconds is None else seconds, "changes": result.changes,
        }  # fmt: skip
        with self.lock:
            self.store.commit({**entry, "error": error} if error else entry)

    def _read(self, call: Call, thing: Thing) -> tuple[dict[str, Any], dict[str, Any]]:
        outputs = unmask(thing.outputs, call.olds, self._key)
        if not call.inputs:
            return unmask(thing.inputs, call.olds, self._key), outputs
        rules = self.cloud.rule(call.package, call.type).drift
        return as_there(call.inputs, thing.inputs, rules), outputs

    def _tag_differences(self, call: Call) -> list[Difference]:
        """Another provider's default tags show only in the outputs."""
        name = call.package.tags_output
        if name == call.package.tags_input or name not in call.olds:
            return []
        return differences({name: call.olds[name]}, {name: call.tags}, [])

    def _outside(self, call: Call) -> bool:
        if self._on_host(call):
            return True
        return self._on_cluster(call) and self.kubernetes.outside(call)

    def _on_host(self, call: Call) -> bool:
        return self._hosts is not None and call.type == COMMAND

    def _on_cluster(self, call: Call) -> bool:
        return call.package.package == "kubernetes"


def _same_place(found: list[Difference]) -> bool:
    """Whether what replaces an object would have its name and namespace."""
    paths = {d.path for d in found if d.replace}
    return bool(paths) and paths.isdisjoint(PLACE)
