"""A real Kubernetes for tests, made of programs that are built from pinned Go modules.

build         the programs, from the cache or built now
certs         an authority of our own
children      processes that cannot outlive us
plane         etcd, kube-apiserver, kube-controller-manager, kube-scheduler
kwok          fake GPU nodes
controllers   JobSet, Kueue, MPI, Trainer, KubeRay and Volcano, as their projects ship them
api, cluster  what tests ask of the API server, and wait for
node, image   one real node, and what its pods run
hold          all of it by hand: python -m testbed.hold jobset kueue
"""
