"""How a thing is made from its inputs: id, outputs, price, companions, and what it holds.

Nothing is changed here; what was made is returned.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from colony.rehearsal import schema
from colony.rehearsal.calls import Call, Refusal
from colony.rehearsal.lookups import Lookups
from colony.rehearsal.package import Package, ResourceType
from colony.rehearsal.prices import hourly
from colony.rehearsal.state import Change, Thing, as_change, thing_key
from colony.rehearsal.templates import Context, TemplateError, digest, lookup, render
from colony.rehearsal.wire import Secrets, mask, spread

__all__ = ["Making", "machine_type", "machines", "rendered"]


class Making(Lookups):
    """Rules that make things."""

    def outputs_of(
        self, call: Call, rule: ResourceType, context: dict[str, Any], old: Thing | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        outputs = copy.deepcopy({k: v for k, v in call.inputs.items() if not k.startswith("__")})
        context = {**context, "outputs": outputs}
        declared = schema.outputs(call.type)
        shared = {
            name: text
            for name, text in call.package.outputs.items()
            if name in declared and name not in rule.outputs and outputs.get(name) is None
        }
        for path, text in {**shared, **rule.defaults}.items():
            if lookup(outputs, path) is None:
                _assign(outputs, path, render(text, context))
        for path, text in rule.outputs.items():
            _assign(outputs, path, render(text, context))
        self._complete(call.type, rule, outputs)
        return outputs, context

    def _complete(self, type_: str, rule: ResourceType, outputs: dict[str, Any]) -> None:
        """An output that the SDK promises and no rule gives would be read as None: refused."""
        for name, output in schema.outputs(type_).items():
            if not output.always or outputs.get(name) is not None:
                continue
            if name not in rule.empty:
                message = f"{type_}.{name}: the simulated world has no rule for this output"
                raise Refusal("MissingRule", message)
            if output.empty is not None:
                outputs[name] = output.empty

    def thing_of(
        self,
        call: Call,
        rule: ResourceType,
        context: Context,
        outputs: dict[str, Any],
        generation: int,
    ) -> Thing:
        region = call.region
        return Thing(
            key=thing_key(call.type, region, context["id"]),
            id=context["id"], type=call.type, package=call.package.package, region=region,
            urn=call.urn, name=call.name, inputs=call.inputs, outputs=outputs,
            tags=context["tags"] if self._is_tagged(call, rule) else {},
            usd_per_hour=self._price(call.package, rule, context, region),
            nodes=machines(rule, context), machine=machine_type(rule, context),
            created=self.world.clock, generation=generation, revision=context["revision"],
            **self._holds(rule, call.inputs, region, context),
            cluster=rendered(rule.cluster, context) or None if rule.cluster else None,
        )  # fmt: skip

    def _is_tagged(self, call: Call, rule: ResourceType) -> bool:
        return bool(rule.tags) or call.package.tags_output in schema.outputs(call.type)

    def companions(
        self, package: Package, rule: ResourceType, owner: Thing, context: Context
    ) -> list[Thing]:
        things = []
        for number, made in enumerate(rule.makes):
            each = render(made.each, context) if made.each else [None]
            for index, item in enumerate(each):
                inputs = render(made.inputs, {**context, "each": item})
                id_ = render(made.id, {**context, "each": item}) if made.id else ""
                name = f"{owner.key}/{number}.{index}"
                things += self.companion(
                    package, made.type, inputs, owner.region, name, [owner.key], id_
                )
        return things

    def companion(
        self, package: Package, type_: str, inputs: dict[str, Any], region: str, name: str,
        goes_with: list[str], id_: str = "",
    ) -> list[Thing]:  # fmt: skip
        rule = self.rule(package, type_)
        tags = inputs.get(package.tags_input, {})
        context: dict[str, Any] = {
            **self.place(package, region), "inputs": inputs, "outputs": inputs, "tags": tags,
            "key": digest(self.seed, name), "name": name.rsplit("/", 1)[-1], "type": type_,
            "follow": self.follow(rule, region),
        }  # fmt: skip
        context["id"] = id_ or render(rule.id, context)
        outputs = dict(inputs)
        for path, text in rule.outputs.items():
            _assign(outputs, path, render(text, {**context, "outputs": outputs}))
        context["outputs"] = outputs
        holds = self._holds(rule, inputs, region, context)
        holds["goes_with"] += goes_with
        thing = Thing(
            key=thing_key(type_, region, context["id"]), id=context["id"], type=type_,
            package=package.package, region=region, urn="", name=context["name"], inputs=inputs,
            outputs=outputs, tags=tags, usd_per_hour=self._price(package, rule, context, region),
            created=self.world.clock, **holds,
        )  # fmt: skip
        return [thing, *self.companions(package, rule, thing, context)]

    def _holds(
        self, rule: ResourceType, inputs: Mapping[str, Any], region: str, context: Context
    ) -> dict[str, Any]:
        blocks: list[str] = []
        goes_with: list[str] = []
        part_of: list[str] = []
        for path, reference in rule.refers.items():
            for value in values_at(inputs, path):
                if target := self.find(reference.type, value, region):
                    blocks += [target.key] if reference.blocks and not reference.cascade else []
                    goes_with += [target.key] if reference.cascade else []
                    part_of += [target.key] if reference.part else []
        marks = [mark for text in rule.marks if (mark := rendered(text, context))]
        return {"blocks": blocks, "goes_with": goes_with, "part_of": part_of, "marks": marks}

    def refuse_missing(
        self,
        package: Package,
        rule: ResourceType,
        type_: str,
        inputs: Mapping[str, Any],
        region: str,
    ) -> None:
        for path, reference in rule.refers.items():
            if reference.optional:
                continue
            for value in values_at(inputs, path):
                if not self.find(reference.type, value, region):
                    target = self.rule(package, reference.type)
                    facts = {"value": value, "inputs": inputs, "region": region}
                    default = f"{type_}: {path} names {value}, which does not exist"
                    raise self.error(package, target, "missing", facts, default)

    def masked(self, thing: Thing, call: Call) -> Change:
        """As it may be written to a disk."""

        def hide(values: dict[str, Any], own: Secrets) -> dict[str, Any]:
            repeated = spread(values, call.inputs, call.secrets) - call.secrets
            return dict(mask(values, own | repeated, self.key))

        hidden = replace(
            thing,
            inputs=hide(thing.inputs, call.secrets),
            outputs=hide(thing.outputs, call.secrets),
            tags=hide(thing.tags, frozenset()),
        )
        return as_change(hidden)

    def context_of(self, call: Call, generation: int) -> dict[str, Any]:
        rule = self.rule(call.package, call.type)
        return {
            **self.place(call.package, call.region), "inputs": call.inputs, "name": call.name,
            "tags": call.tags, "type": call.type, "key": digest(self.seed, call.urn, generation),
            "follow": self.follow(rule, call.region),
        }  # fmt: skip

    def _price(self, package: Package, rule: ResourceType, context: Context, region: str) -> float:
        return sum(hourly(price, package, context, region) for price in rule.price)


def machines(rule: ResourceType, context: Context) -> float:
    """How many machines are in the price of a thing."""
    return sum(float(render(price.count, context)) for price in rule.price if price.instance)


def machine_type(rule: ResourceType, context: Context) -> str:
    """Of those; empty where it is none."""
    found = (str(render(price.instance, context)) for price in rule.price if price.instance)
    return next(found, "")


def values_at(value: Any, path: str) -> list[Any]:
    """Every value at a path; lists on the way are looked into."""
    if isinstance(value, list):
        return [found for item in value for found in values_at(item, path)]
    if not path:
        return [] if value in (None, "") else [value]
    step, _, rest = path.partition(".")
    return values_at(value.get(step), rest) if isinstance(value, Mapping) else []


def _assign(outputs: dict[str, Any], path: str, value: Any) -> None:
    *steps, last = path.split(".")
    for step in steps:
        outputs = outputs.setdefault(step, {})
    outputs[last] = value


def rendered(text: str, context: Context) -> str:
    try:
        return str(render(text, context))
    except TemplateError:
        return ""
