"""A parameter server adds up what the trainers push. TF_CONFIG says who is who.

With TensorFlow: the chief coordinates the workers, whose sum is in a variable on the server.
"""

from __future__ import annotations

import json
import os
import socketserver
import sys
import threading
from collections import defaultdict

import together

TRAINERS = ("chief", "worker")


def main() -> int:
    config = json.loads(os.environ["TF_CONFIG"])
    try:
        import tensorflow as tf
    except ImportError:
        together.say("TensorFlow is not installed: a stand-in")
        return stand_in(config["cluster"], config["task"]["type"], config["task"]["index"])
    return with_tensorflow(tf)


def stand_in(cluster: dict[str, list[str]], role: str, index: int) -> int:
    trainers = [(name, i) for name in TRAINERS for i in range(len(cluster.get(name, [])))]
    host, _, port = cluster["ps"][0].rpartition(":")
    if role == "ps":
        serve(cluster["ps"][index], len(trainers))
        return 0
    rank = trainers.index((role, index))
    me = {"rank": rank, "role": role, "value": rank + 1, "round": "sum"}
    said = together.ask(host, int(port), me)
    code = together.check(rank, len(trainers), said, sum(each["value"] for each in said))
    # With the chief's end the job ends: nobody leaves before all have said what they saw.
    together.ask(host, int(port), {**me, "round": "end"})
    return code


def serve(own: str, count: int) -> None:
    """Answers each trainer with what all of them pushed in a round, once they all have; never
    ends."""
    rounds: dict[str, list[dict]] = defaultdict(list)
    changed = threading.Condition()

    class Push(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline()
            if not line.strip():
                return
            with changed:
                push = json.loads(line)
                pushed = rounds[push["round"]]
                pushed.append(push)
                changed.notify_all()
                changed.wait_for(lambda: len(pushed) >= count, together.PATIENCE)
                said = sorted(pushed, key=lambda each: each["rank"])
            self.wfile.write(json.dumps(said).encode() + b"\n")

    host, _, port = own.rpartition(":")
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    try:
        server = socketserver.ThreadingTCPServer((host, int(port)), Push)
    except OSError:
        server = socketserver.ThreadingTCPServer(("", int(port)), Push)
    server.serve_forever()


def with_tensorflow(tf) -> int:
    together.say(f"TensorFlow {tf.__version__}")
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    spec, role, index = resolver.cluster_spec(), resolver.task_type, resolver.task_id
    if role != "chief":
        tf.distribute.Server(spec, job_name=role, task_index=index, protocol="grpc").join()
        return 0
    strategy = tf.distribute.ParameterServerStrategy(resolver)
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    with strategy.scope():
        total = tf.Variable(1.0)
    workers = spec.num_tasks("worker")

    @tf.function
    def push(value):
        total.assign_add(value)

    for value in range(2, workers + 2):
        coordinator.schedule(push, args=(tf.constant(float(value)),))
    coordinator.join()
    said = [{"rank": 0, "role": "chief"}]
    said += [{"rank": i + 1, "role": "worker"} for i in range(workers)]
    return together.check(0, workers + 1, said, float(total.numpy()))


if __name__ == "__main__":
    sys.exit(main())
