#!/usr/bin/env bash
# Waits until every pod of the world has ended its setup: `run` starts on all of them together.
# The pod of rank 0 keeps the door while it lives, so that one that was started again comes in, too.
#
#   barrier.sh SECONDS PID    of the wait, and of the entry point; 124 = not all came in time
set -uo pipefail

door=$(
  cat <<'PYTHON'
import os, socket, sys, time

PORT = 29402
rank, size, host, seconds, pid = sys.argv[2:]


def alive():
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


def keep():
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind((os.environ.get("COLONY_POD_ADDRESS", ""), PORT))
    door.listen(1024)
    door.settimeout(1)
    came, waiting = set(), []
    while alive():
        try:
            guest, _ = door.accept()
            guest.settimeout(5)
            came.add(int(guest.recv(16)))
        except (OSError, ValueError):
            continue
        waiting.append(guest)
        while len(came) == int(size) and waiting:
            try:
                waiting.pop().sendall(b"go")
            except OSError:
                pass


def come():
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        try:
            with socket.create_connection((host, PORT), timeout=5) as door:
                door.settimeout(max(0.1, end - time.monotonic()))
                door.sendall(rank.encode())
                if door.recv(2) == b"go":
                    return 0
        except OSError:
            pass
        time.sleep(float(os.environ.get("COLONY_WAIT_INTERVAL", 1)))
    return 124


keep() if sys.argv[1] == "keep" else sys.exit(come())
PYTHON
)

mapfile -t addresses <<<"$SKYPILOT_NODE_IPS"
((${#addresses[@]} > 1)) || exit 0
if ! command -v python3 >/dev/null; then
  echo 'colony: the image has no python3: pods do not wait for the setup of each other' >&2
  exit 0
fi
arguments=("$NODE_RANK" "${#addresses[@]}" "${addresses[0]}" "$1" "$2")
if ((NODE_RANK == 0)); then
  python3 -c "$door" keep "${arguments[@]}" </dev/null >/dev/null 2>&1 &
fi
exec python3 -c "$door" come "${arguments[@]}"
