import time

import psutil

DEADLINE = 10.0


def is_gone(pid):
    """True for a process that ended, buried or not; a killed one may need a moment to go."""
    deadline = time.monotonic() + DEADLINE
    while not _is_gone(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
