"""Reads what a cluster says about a job's objects. `jobs/state.py` is the way in.

states       what comes out: phases, reasons, the state of a job and of its roles
rules        the phase rules alone
reading      safe look-ups in objects that may hold anything
pods         a pod -> what is kept of it; placing: why one was not placed
said         what a controller says of a workload, whatever the engine
engines      a workload object of each engine -> said
around       Kueue workloads, pod groups, nodes, events
tally        counts over the live pods
view         all of it together, per role
causes       why it failed
deduce       the state
"""
