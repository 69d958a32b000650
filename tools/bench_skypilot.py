"""SkyPilot's own optimiser on given catalogue files; run by the Python that has SkyPilot.

`bench_skypilot.py CLOUD,CLOUD < requests.json`: HOME holds the files. Nothing is asked of a
network: a connection is an error. Prints CPU milliseconds as JSON, a line as each is known.
"""

import json
import os
import socket
import statistics
import sys
import time


def main() -> None:
    """One figure for each named request, the middle of several."""
    os.environ["SKYPILOT_DISABLE_USAGE_COLLECTION"] = "1"
    begun = time.process_time()
    import sky
    from sky import check, clouds, optimizer

    imported = time.process_time() - begun
    socket.socket.connect = refused  # type: ignore[method-assign]
    known = {"aws": clouds.AWS, "azure": clouds.Azure, "lambda": clouds.Lambda}
    enabled = [known[name]() for name in sys.argv[1].split(",")]
    check.get_cached_enabled_clouds_or_refresh = lambda *_, **__: enabled
    for cloud in enabled:
        type(cloud).check_features_are_supported = classmethod(lambda *_, **__: None)
    print(json.dumps({"import": {"ms": imported * 1000}}), flush=True)
    for name, asked in json.load(sys.stdin).items():
        print(json.dumps({name: measured(sky, optimizer.Optimizer, asked)}), flush=True)


def refused(*_: object) -> None:
    raise OSError("the bench asks no network")


def measured(sky: object, optimizer: object, asked: dict) -> dict:
    """The first answer reads the files, and is not counted; long requests come once, after these
    have been read."""
    times, chosen = [], []
    for _ in range(asked["times"]):
        dag = graph(sky, asked)
        begun = time.process_time()
        optimizer.optimize(dag, quiet=True)
        times.append((time.process_time() - begun) * 1000)
        chosen = [best(task) for task in dag.tasks]
    return {"ms": statistics.median(times[1:] or times), "chosen": chosen}


def best(task: object) -> list:
    found = task.best_resources
    return [str(found.cloud).lower(), found.region, found.instance_type]


def graph(sky: object, asked: dict) -> object:
    """Each task reads from the `reach` before it."""
    with sky.Dag() as dag:
        tasks = []
        for place, accelerators in enumerate(asked["tasks"]):
            task = sky.Task(f"t{place}", run="true")
            task.set_resources({sky.Resources(accelerators={n: c}) for n, c in accelerators})
            task.set_time_estimator(lambda _: 3600)
            if place and asked.get("gb"):
                task.set_inputs("s3://bench", asked["gb"])
            if asked.get("gb"):
                task.set_outputs("s3://bench", asked["gb"])
            for before in tasks[max(0, place - asked["reach"]) :]:
                dag.add_edge(before, task)
            tasks.append(task)
    return dag


if __name__ == "__main__":
    main()
