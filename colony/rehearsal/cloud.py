"""The one engine under every cloud package: things with ids, outputs, prices and what they hold.

Nothing here knows a cloud. Methods return changes and change nothing; `colony.rehearsal.simulation`
commits them.
"""

from __future__ import annotations

from collections.abc import Mapping
from re import fullmatch
from typing import Any

from colony.rehearsal.calls import Call, Refusal, Result
from colony.rehearsal.making import Making, rendered
from colony.rehearsal.package import Made, Package, ResourceType
from colony.rehearsal.schema import Failure
from colony.rehearsal.state import Change, Thing, as_change
from colony.rehearsal.templates import UNKNOWN, Context, digest, lookup, render
from colony.rehearsal.wire import mask, spread

__all__ = ["Cloud"]


DEFAULTS = "__defaults"
"""Inputs that the provider has filled in, as the bridged ones note them."""


class Cloud(Making):
    """The operations on one world's things."""

    def autonamed(self, call: Call) -> dict[str, Any]:
        """The input that the provider names when the program does not, marked as its own."""
        path = self.rule(call.package, call.type).autoname
        if not path or call.inputs.get(path) is not None or call.inputs.get(f"{path}Prefix"):
            return {}
        generation = self.world.generations.get(call.urn, 0) + 1
        fresh = f"{call.name}-{digest(self.seed, call.urn, 'name', generation)[:7]}"
        return {path: call.olds.get(path) or fresh, DEFAULTS: [path]}

    def keeps_name(
        self, rule: ResourceType, old: Mapping[str, Any], new: Mapping[str, Any]
    ) -> bool:
        """Whether what replaces a thing would have its name, so that the old has to go first. A
        provider names anew what it has named itself."""
        name = rule.unique
        if not name or name in new.get(DEFAULTS, []):
            return False
        return bool(old.get(name) == new.get(name))

    def misnamed(self, call: Call, inputs: Mapping[str, Any]) -> list[Failure]:
        """Names that the cloud would not take."""
        patterns = self.rule(call.package, call.type).patterns
        given = {path: lookup(inputs, path) for path in patterns}
        return [
            Failure(path, f"{name!r} is not allowed: it must match {patterns[path]}")
            for path, name in given.items()
            if isinstance(name, str) and name != UNKNOWN and not fullmatch(patterns[path], name)
        ]

    def create(self, call: Call) -> Result:
        """A new thing, and what comes with it."""
        generation = self.world.generations.get(call.urn, 0) + 1
        return self._put(call, generation, None)

    def update(self, call: Call) -> Result:
        """The same thing with other inputs."""
        old = self._existing(call)
        return self._put(call, old.generation, old)

    def delete(self, call: Call) -> Result:
        """Refused while something blocks it; gone already is fine."""
        thing = self.find(call.type, call.id, call.region)
        return Result(call.id, changes=self.removal(thing) if thing else [])

    def read(self, call: Call) -> Thing | None:
        """The thing, or None where it is gone."""
        return self.find(call.type, call.id, call.region)

    def removal(self, thing: Thing, detach: bool = False) -> list[Change]:
        """The changes that take a thing away, with all that goes with it.

        `detach` first takes off what is attached to it, as a sweeper does.
        """
        parts = [other for other in self.all() if detach and thing.key in other.part_of]
        self._refuse_blocked(thing, {part.key for part in parts})
        return [change for part in parts for change in self.release(part)] + self.release(thing)

    def release(self, thing: Thing) -> list[Change]:
        """The same without asking whether something blocks it."""
        changes: list[Change] = [["thing", thing.key, None]]
        for other in self.going_with(thing):
            changes += self.release(other)
        if thing.cluster:
            objects = self.world.objects.get(thing.cluster, {})
            changes += [["object", thing.cluster, key, None] for key in objects]
        return changes

    def back(self, cluster: Thing, made: Made, key: str, obj: Mapping[str, Any]) -> list[Thing]:
        """What a Kubernetes object brings about in its cluster's cloud: first the thing itself.

        It does not go with the cluster: that is what leaks.
        """
        package = self.packages[cluster.package]
        context = {**self.facts(package, cluster), "object": obj}
        inputs = render(made.inputs, {**context, "key": digest(self.seed, cluster.key, key)})
        name = f"{cluster.key}/{key}"
        return self.companion(package, made.type, inputs, cluster.region, name, [])

    def half(self, call: Call, nodes: int = 0) -> Result:
        """What a create that ran out of capacity leaves: the thing with so many of its machines."""
        result = self.create(call)
        if "status" in result.outputs:
            result.outputs["status"] = "CREATE_FAILED"
        kind, key, value = result.changes[0]
        hidden = mask(result.outputs, result.secrets, self.key)
        came = min(1.0, nodes / value["nodes"]) if value["nodes"] else 0.0
        billed = {"usd_per_hour": value["usd_per_hour"] * came, "nodes": value["nodes"] * came}
        result.changes = [[kind, key, {**value, "outputs": hidden, **billed}]]
        return result

    def machine(self, package: Package, inputs: Mapping[str, Any]) -> str:
        """The machine type that a thing of these inputs is made of."""
        return rendered(package.facts.get("instance", ""), {"inputs": inputs})

    def context(self, call: Call) -> Context:
        """What the texts of errors can name."""
        zones = self._zones(call.package, call.region)
        follow = self.follow(call.package.types.get(call.type), call.region)
        facts = {"inputs": call.inputs, "follow": follow}
        found = {n: rendered(text, facts) for n, text in call.package.facts.items()}
        return {
            "id": call.id, "name": call.name, "type": call.type, "inputs": call.inputs,
            "region": call.region, "zone": zones[0] if zones else call.region,
            "account": self._account(call.package), "key": digest(self.seed, call.urn),
            "constants": call.package.constants,
            **{name: text for name, text in found.items() if text},
        }  # fmt: skip

    def invoke(self, package: Package, token: str, args: dict[str, Any], region: str) -> Any:
        """A provider function's result: its arguments, and what the data says."""
        if token not in package.invokes:
            where = f"colony/rehearsal/packages/{package.package}.yaml"
            raise Refusal("NotSimulated", f"{token} is not simulated: add it to {where}")
        region = args.get(package.region_input) or region
        key = digest(self.seed, token, sorted(args.items()))
        context = {**self.place(package, region), "args": args, "key": key}
        return {**args, **render(package.invokes[token], context)}

    def _put(self, call: Call, generation: int, old: Thing | None) -> Result:
        rule = self.rule(call.package, call.type)
        self.refuse_missing(call.package, rule, call.type, call.inputs, call.region)
        self._refuse_without(call, rule)
        self._refuse_changed(call, rule, old)
        revision = old.revision + 1 if old else 1
        context = {**self.context_of(call, generation), "revision": revision}
        id_ = old.id if old else str(render(rule.id, context))
        outputs, context = self.outputs_of(call, rule, {**context, "id": id_}, old)
        thing = self.thing_of(call, rule, context, outputs, generation)
        if not old and thing.key in self.world.things:
            raise self.error(call.package, rule, "exists", context, f"{id_} already exists")
        made = self.companions(call.package, rule, thing, context)
        stale = [t for t in self.going_with(thing) if not t.urn] if old else []
        changes = [self.masked(thing, call), *(as_change(t) for t in made)]
        keep = {t.key for t in made}
        changes += [["thing", t.key, None] for t in stale if t.key not in keep]
        secrets = spread(outputs, call.inputs, call.secrets)
        return Result(id_, outputs, changes, secrets=secrets)

    def _refuse_without(self, call: Call, rule: ResourceType) -> None:
        for path, error in rule.demands.items():
            if lookup(call.inputs, path) in (None, "", []):
                default = f"{call.type}: {path} is missing"
                raise self.error(call.package, rule, error, self.context(call), default)

    def _refuse_changed(self, call: Call, rule: ResourceType, old: Thing | None) -> None:
        """In an update, what cannot change."""
        follow = self.follow(rule, call.region)
        for text, error in rule.fixed.items() if old else ():
            before, after = (
                sorted(set(map(str, render(text, {"inputs": inputs, "follow": follow}))))
                for inputs in (old.inputs if old else {}, call.inputs)
            )
            if before != after:
                said = {"before": ",".join(before), "after": ",".join(after)}
                default = f"{call.type}: {said['before']} cannot become {said['after']}"
                raise self.error(call.package, rule, error, {**self.context(call), **said}, default)

    def _refuse_blocked(self, thing: Thing, parts: set[str]) -> None:
        package = self.packages[thing.package]
        rule = self.rule(package, thing.type)
        facts = {**self.facts(package, thing), "type": thing.type}
        walls = {wall for text in rule.blocked_by if (wall := rendered(text, facts))}
        for other in self.all():
            if thing.key in other.goes_with or other.key == thing.key or other.key in parts:
                continue
            if thing.key in other.blocks:
                facts["blocker"], facts["kind"] = other.id, "blocked"
            elif walls.intersection(other.marks):
                facts["blocker"], facts["kind"] = other.id, "walled"
            else:
                continue
            default = f"{thing.id} cannot be deleted: {other.type} {other.id} needs it"
            raise self.error(package, rule, facts["kind"], facts, default)

    def _existing(self, call: Call) -> Thing:
        thing = self.find(call.type, call.id, call.region)
        if thing is None:
            raise Refusal("NotFound", f"{call.type} {call.id} does not exist")
        return thing
