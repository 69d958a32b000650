"""The agent in the cluster: elastic jobs while they run, its idleness, the health of its nodes, and
what the colony costs.

Standard library only, and nothing of ours but itself: it runs as a zipapp from a ConfigMap
(`components.agent_bundle`), in a slim Python image. All its state is in its ConfigMaps.

    model     what is wanted, what was decided, what is seen: plain values
    codec     the same as the text of a ConfigMap
    observe   Kubernetes objects -> what is seen
    plan      what is seen + what was decided -> what to do: pure
    loop      reads, plans, writes the decision, then does it
    client    the Kubernetes API
    own_map   the ConfigMap in which a part keeps its state
    metrics   what the colony costs, for Prometheus
    idle      whether anybody uses the cluster: pure; idle_keeper looks and writes
    completion   how its jobs ended: pure; completion_keeper looks, writes and tells by signals
    health    which nodes are tainted: pure; health_keeper looks, writes and taints
    faults    lines of a kernel's log -> faults of hardware: pure
    kernel_log   no part of it: what runs on each node with GPUs, alone
"""

from __future__ import annotations
