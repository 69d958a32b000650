import pytest

from colony.market.request import (
    Request,
    candidates_of,
    choices_of,
    request_of,
    requests_of,
    split_accelerators,
)
from jobs.errors import InputError
from jobs.spec import Job, Resources, Role


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"nodes": 0}, "nodes"),
        ({"nodes": 1.5}, "nodes"),
        ({"accelerator": "H100", "count": 0}, "accelerators"),
        ({"accelerator": "H100", "count": float("nan")}, "accelerators"),
        ({"count": 8}, "accelerators"),
        ({"cpus": "many"}, "cpus"),
        ({"cpus": "-1+"}, "cpus"),
        ({"memory": "0"}, "memory"),
        ({"max_price": 0}, "max_price"),
        ({"hours": float("inf")}, "hours"),
    ],
)
def test_what_no_machine_can_be_is_an_error_with_its_path(fields, path):
    with pytest.raises(InputError) as error:
        Request(**fields)
    assert [problem.path for problem in error.value.problems] == [path]


@pytest.mark.parametrize("cloud", ["kubernetes", "k8s", "*", "", None])
def test_kubernetes_without_a_context_constrains_no_cloud(cloud):
    assert Request(cloud=cloud).cloud is None


def test_names_are_canonical():
    assert Request("h100-mega", 8, cloud="AWS").accelerator == "H100-MEGA-80GB"
    assert Request(cloud="AWS").cloud == "aws"
    assert split_accelerators("l4:0.5") == ("L4", 0.5)
    assert split_accelerators(None) == (None, 0)


def test_a_fraction_takes_a_whole_gpu():
    assert Request("L4", 0.5).gpus == 1
    assert Request("L4", 1.5).gpus == 2


def test_a_job_becomes_a_request():
    need = Resources(accelerators="H100:8", cpus="96+", cloud="aws", zone="us-east-1a")
    request = request_of(Job(name="train", nodes=4, resources=need, expected_run_time=7200))
    assert request == Request(
        "H100", 8, nodes=4, cpus="96+", cloud="aws", zones=("us-east-1a",), hours=2.0
    )


def test_roles_of_one_kind_of_node_are_added_and_others_stay_apart():
    roles = {
        "master": Role(replicas=1),
        "worker": Role(replicas=3),
        "server": Role(replicas=2, resources=Resources(cpus="4")),
    }
    job = Job(name="train", roles=roles, resources=Resources(accelerators="L4:1"))
    asked = [(request.accelerator, request.cpus, request.nodes) for request in requests_of(job)]
    assert asked == [("L4", None, 4), (None, "4", 2)]
    assert request_of(job).nodes == 4


def test_a_launcher_that_asks_for_nothing_runs_beside_its_workers():
    job = Job(name="train", framework="mpi", nodes=2, resources=Resources(accelerators="H100:8"))
    (request,) = requests_of(job)
    assert (request.accelerator, request.nodes) == ("H100", 2)


def test_a_launcher_that_asks_for_a_machine_gets_one():
    roles = {"launcher": Role(resources=Resources(cpus="4")), "worker": Role(replicas=2)}
    job = Job(
        name="train", framework="mpi", roles=roles, resources=Resources(accelerators="H100:8")
    )
    assert sorted((r.accelerator or "", r.cpus, r.nodes) for r in requests_of(job)) == [
        ("", "4", 1), ("H100", None, 2),
    ]  # fmt: skip


def test_an_elastic_role_is_bought_at_its_most():
    job = Job(
        name="train", framework="pytorch", nodes=2, elastic={"min": 1, "max": 5},
        resources=Resources(accelerators="H100:8"),
    )  # fmt: skip
    assert [request.nodes for request in requests_of(job)] == [6]


def test_a_job_with_alternatives_is_a_request_for_each_and_the_first_stands_for_it():
    others = [Resources(accelerators="A100:8"), Resources(accelerators="L4:8", max_price=2.5)]
    job = Job(
        name="train", nodes=2, resources=Resources(accelerators="H100:8"), alternatives=others
    )
    asked = [(r.accelerator, r.nodes, r.max_price) for (r,) in choices_of(job)]
    assert asked == [("H100", 2, None), ("A100", 2, None), ("L4", 2, 2.5)]
    assert request_of(job).accelerator == "H100"
    assert all(candidate.alternatives == [] for candidate in candidates_of(job))


def test_roles_with_resources_of_their_own_are_the_same_in_each_candidate():
    roles = {"worker": Role(replicas=2), "ps": Role(resources=Resources(cpus="4"))}
    job = Job(
        name="train", framework="tensorflow", roles=roles,
        resources=Resources(accelerators="H100:8"), alternatives=[Resources(accelerators="A100:8")],
    )  # fmt: skip
    asked = [[(r.accelerator, r.cpus, r.nodes) for r in choice] for choice in choices_of(job)]
    assert asked == [[("H100", None, 2), (None, "4", 1)], [("A100", None, 2), (None, "4", 1)]]
