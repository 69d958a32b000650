"""In a rehearsal all pods share one machine: Python's sockets keep to the pod's own address.

To listen everywhere, or on localhost, is to listen at the pod's address, and so is to connect to
localhost. Programs that are not Python listen where they say.
"""

from __future__ import annotations

import os
import socket
from typing import Any

OWN = os.environ.get("COLONY_POD_ADDRESS", "")
LOCAL = ("127.0.0.1", "localhost")


def own(sock: socket.socket, address: Any, names: tuple[str, ...]) -> Any:
    if not OWN or not isinstance(address, tuple) or address[0] not in names:
        return address
    if sock.family == socket.AF_INET:
        return (OWN, *address[1:])
    both = sock.family == socket.AF_INET6 and address[0] == "::"
    if both and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
        return (f"::ffff:{OWN}", *address[1:])
    return address


def patched(name: str, names: tuple[str, ...]) -> None:
    plain = getattr(socket.socket, name)

    def method(self: socket.socket, address: Any) -> Any:
        return plain(self, own(self, address, names))

    setattr(socket.socket, name, method)


if OWN:
    patched("bind", ("", "0.0.0.0", "::", *LOCAL))
    patched("connect", LOCAL)
    patched("connect_ex", LOCAL)
