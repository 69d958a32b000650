"""`colony check`: an all-reduce over all GPUs of a cluster, measured node by node.

all_reduce  what each pod runs; no part of this program
targets     the pools of a colony's clusters, and the job for each: pure
verdict     what the pods printed, held against floors.yaml: pure
check       puts the job there, waits, reads, takes it away
"""

from __future__ import annotations
