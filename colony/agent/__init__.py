"""The agent in the cluster: whatever must happen there while elastic jobs run.

Standard library only, and nothing of ours but itself: it runs as a zipapp from a ConfigMap
(`components.agent_bundle`), in a slim Python image. All its state is in its ConfigMaps.

    model     what is wanted, what was decided, what is seen: plain values
    codec     the same as the text of a ConfigMap
    observe   Kubernetes objects -> what is seen
    plan      what is seen + what was decided -> what to do: pure
    loop      reads, plans, writes the decision, then does it
    client    the Kubernetes API
"""

from __future__ import annotations
