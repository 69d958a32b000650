"""Runs a command that the kernel kills when its parent ends, however that ends.

    python -I -S leash.py PARENT COMMAND ARGUMENT...

A program of its own, since Python code between fork and exec may hang a process with threads.
The leash is tied to the parent's thread: start from one that lives as long as the child may.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):  # it ended before the leash was on
        sys.exit(1)
    os.execv(sys.argv[2], sys.argv[2:])
