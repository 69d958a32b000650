"""Roles of one's own: MODULE and INDEX say who I am, a variable a role lists its hosts.

The reader serves numbers, each trainer takes its own and all agree on the sum.
"""

from __future__ import annotations

import os
import sys

import together

PORT = 7000


def main() -> int:
    roles = {name: os.environ[name].split(",") for name in ("reader", "trainer")}
    everyone = [(name, index) for name, hosts in roles.items() for index in range(len(hosts))]
    me = (os.environ["MODULE"], int(os.environ["INDEX"]))
    rank = everyone.index(me)
    said = together.meet(
        rank, len(everyone), roles["reader"][0], PORT, {"role": me[0], "value": rank + 1}
    )
    if [(each["role"]) for each in said] != [name for name, _ in everyone]:
        print(f"these are not the roles: {said}", file=sys.stderr)
        return 1
    return together.check(rank, len(everyone), said, sum(each["value"] for each in said))


if __name__ == "__main__":
    sys.exit(main())
