"""A ground without an engine: cloud things and cluster objects in plain dicts, time in a number."""

from __future__ import annotations

from colony.lifecycle.ground import Thing
from jobs.errors import ColonyError


class FakeGround:
    simulated = True

    def __init__(self, things=(), blocked=None, access=None):
        self.things = {thing.id: thing for thing in things}
        self.blocked = dict(blocked or {})
        self.access = access
        self.clock = 0.0
        self.asked = []

    def kubeconfig(self, given):
        return ""

    def now(self):
        return self.clock

    def wait(self, seconds, until=None):
        self.clock += seconds

    def cluster(self, cluster):
        return self.access

    def inventory(self, stack, clusters):
        return list(self.things.values())

    def delete(self, thing):
        self.asked.append(thing.id)
        if self.blocked.get(thing.id) in self.things:
            raise ColonyError(f"DependencyViolation: {self.blocked[thing.id]}")
        self.things.pop(thing.id)


class FakeAccess:
    """Objects by kind. `sticky` names are deleted only after so many more looks."""

    def __init__(self, objects, sticky=None):
        self.kinds = objects
        self.sticky = dict(sticky or {})
        self.deleted = []
        self.restarted = []
        self.marked = []
        self.evicted = []

    def evict(self, namespace, name):
        self.evicted.append((namespace, name))

    def objects(self, kind, namespace=None):
        for name in [n for n, looks in self.sticky.items() if looks == 0]:
            for things in self.kinds.values():
                things[:] = [each for each in things if each["metadata"]["name"] != name]
        self.sticky = {n: looks - 1 for n, looks in self.sticky.items() if looks}
        return list(self.kinds.get(kind, []))

    def removable(self, kind):
        return self.objects(kind)

    def restart(self, manifest):
        self.restarted.append(manifest["metadata"]["name"])

    def annotate(self, kind, namespace, name, marks):
        self.marked.append((kind, name, dict(marks)))

    def delete(self, kind, namespace, name):
        self.deleted.append((kind, name))
        if name not in self.sticky:
            things = self.kinds[kind]
            things[:] = [each for each in things if each["metadata"]["name"] != name]


def thing(name, stack="demo", **tags):
    return Thing(name, "disk", {"colony-stack": stack, **tags} if stack else tags)
