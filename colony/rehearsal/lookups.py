"""What the texts of a package's data can name: a world's things, places and times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from colony.rehearsal.calls import Refusal
from colony.rehearsal.package import ErrorText, Package, ResourceType
from colony.rehearsal.state import Thing, World
from colony.rehearsal.templates import Context, TemplateError, digest, render

__all__ = ["Lookups"]


class Lookups:
    """One world's things, by the rules of its packages."""

    def __init__(
        self, world: World, packages: Mapping[str, Package], seed: int, key: bytes
    ) -> None:
        self.world, self.packages, self.seed, self.key = world, packages, seed, key

    def rule(self, package: Package, type_: str) -> ResourceType:
        """Raises Refusal where the package's data has nothing for a type."""
        if type_ in package.types:
            return package.types[type_]
        where = f"colony/rehearsal/packages/{package.package}.yaml"
        raise Refusal("NotSimulated", f"{type_} is not simulated: add it to {where}")

    def find(self, type_: str, reference: Any, region: str = "") -> Thing | None:
        """By id, ARN or name; of two regions' things of one name, that of `region`."""
        found = [t for t in self.world.things.values() if t.type == type_ and _called(t, reference)]
        return next((thing for thing in found if thing.region == region), next(iter(found), None))

    def going_with(self, thing: Thing) -> Iterator[Thing]:
        return (other for other in self.all() if thing.key in other.goes_with)

    def all(self) -> list[Thing]:
        return list(self.world.things.values())

    def error(
        self, package: Package, rule: ResourceType, name: str, facts: Context, default: str
    ) -> Refusal:
        text: ErrorText | None = rule.errors.get(name) or package.errors.get(name)
        if text is None:
            return Refusal(name, default)
        try:
            message = str(render(text.message, {**facts, "code": text.code}))
        except TemplateError:
            message = f"{text.code}: {default}"
        return Refusal(text.code, message, text.seconds)

    def facts(self, package: Package, thing: Thing) -> dict[str, Any]:
        rule = self.rule(package, thing.type)
        return {
            **self.place(package, thing.region), "id": thing.id, "inputs": thing.inputs,
            "outputs": thing.outputs, "name": thing.name, "tags": thing.tags, "key": thing.key,
            "follow": self.follow(rule, thing.region),
        }  # fmt: skip

    def place(self, package: Package, region: str) -> dict[str, Any]:
        zones = self._zones(package, region)
        return {
            "region": region, "account": self._account(package), "constants": package.constants,
            "now": _instant(self.world.clock), "zones": zones,
            "zone": zones[0] if zones else region,
        }  # fmt: skip

    def _zones(self, package: Package, region: str) -> list[str]:
        letters = package.zones.get(region, package.zones.get("default", []))
        return [f"{region}{letter}" for letter in letters]

    def _account(self, package: Package) -> str:
        return str(int(digest(self.seed, package.package, "account"), 16))[:12]

    def follow(self, rule: ResourceType | None, region: str = "") -> Any:
        """What an input names: by the type that it refers to, else whatever has that id."""

        def follow(name: str, value: Any) -> Context | None:
            path = name.removeprefix("inputs.")
            refers = rule.refers.items() if rule else ()
            types = {reference.type for at, reference in refers if _same(at, path)}
            for thing in self.world.things.values():
                if (not types or thing.type in types) and _called(thing, value):
                    if thing.region == region or not region or not thing.region:
                        return self.facts(self.packages[thing.package], thing)
            return None

        return follow


def _called(thing: Thing, reference: Any) -> bool:
    return reference in (thing.id, thing.outputs.get("arn"), thing.outputs.get("name"))


def _same(at: str, path: str) -> bool:
    return at == ".".join(step for step in path.split(".") if not step.isdigit())


def _instant(clock: float) -> str:
    return datetime.fromtimestamp(clock, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
