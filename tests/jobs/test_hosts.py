import pytest

from jobs.errors import InputError
from jobs.hosts import fqdn, has_service, host, hosts_of, service_name
from jobs.pairs import check_pair, published, supported
from jobs.policy import Elastic
from jobs.rdma import rdma_for, rdma_of
from jobs.roles import rank0
from jobs.spec import Backend, Framework, Job, Role


def job(backend="jobset", framework="mpi", **fields):
    return Job(name="j", framework=framework, backend=backend, **fields)


@pytest.mark.parametrize(
    ("backend", "role", "name"),
    [
        ("jobset", "worker", "j-worker-0-7.j"),
        ("trainjob", "worker", "j-worker-0-7.j"),
        ("job", "worker", "j-worker-7.j"),
        ("volcano", "worker", "j-worker-7.j"),
        ("mpijob", "worker", "j-worker-7.j"),
        ("mpijob", "launcher", "j-launcher.j"),
        ("rayjob", "head", "j-head-7.j"),
    ],
)
def test_a_pod_has_the_name_that_its_engine_gives_it(backend, role, name):
    assert host(job(backend), role, 7) == name
    assert fqdn(job(backend), role, 7, "lab") == f"{name}.lab.svc.cluster.local"


@pytest.mark.parametrize("backend", ["jobset", "job"])
def test_elastic_workers_are_pods_of_their_own_under_every_back_end(backend):
    found = job(backend, "horovod", elastic=Elastic(max=3))
    assert hosts_of(found, "worker", 2) == ["j-worker-0.j", "j-worker-1.j"]


def test_only_the_engines_of_many_roles_have_a_service_of_rank_0():
    found = {backend for backend in Backend if has_service(job(backend))}
    assert found == {Backend.JOBSET, Backend.JOB, Backend.VOLCANO}
    assert service_name(job()) == "j-rank0"


@pytest.mark.parametrize(
    ("found", "role"),
    [
        (job(framework="pytorch", roles={"worker": Role(), "master": Role()}), "master"),
        (job(), "worker"),
        (job(framework="ray", nodes=2), "head"),
        (job(framework="custom", roles={"b": Role(), "a": Role()}), "b"),
        (job(framework="horovod", elastic=Elastic(max=3)), "launcher"),
        (job(framework="bagua", elastic=Elastic(max=3)), "etcd"),
    ],
)
def test_rank_0_is_of_the_world_and_never_comes_and_goes(found, role):
    assert rank0(found).name == role


@pytest.mark.parametrize("framework", Framework)
@pytest.mark.parametrize("backend", Backend)
def test_a_pair_is_published_or_refused_by_name_with_the_reason(framework, backend):
    found = Job(name="j", framework=framework, backend=backend)
    if supported(framework, backend):
        assert (framework, backend) in published()
        check_pair(found)
        return
    with pytest.raises(InputError) as caught:
        check_pair(found)
    (problem,) = caught.value.problems
    assert problem.path == "backend"
    assert problem.message.startswith(f"{backend.value} does not run {framework.value}: ")
    assert "jobset" in problem.hint


@pytest.mark.parametrize(
    ("machine", "gpus", "requests"),
    [
        ("p5.48xlarge", 8, {"vpc.amazonaws.com/efa": "32", "hugepages-2Mi": "5120Mi"}),
        ("p5.48xlarge", 1, {"vpc.amazonaws.com/efa": "4", "hugepages-2Mi": "5120Mi"}),
        ("p4d.24xlarge", 1, {"vpc.amazonaws.com/efa": "1", "hugepages-2Mi": "5120Mi"}),
        ("Standard_ND96isr_H100_v5", 8, {"rdma/hca_shared_devices_a": "1"}),
        ("a3-ultragpu-8g", 8, {}),
    ],
)
def test_a_pod_asks_for_its_share_of_the_machines_devices(machine, gpus, requests):
    found = rdma_of(None, machine, gpus)
    assert found.requests(gpus) == requests
    assert found.source.startswith("https://")
    assert "IPC_LOCK" in found.capabilities
    assert found.env


@pytest.mark.parametrize(
    ("wanted", "machine", "gpus"),
    [(False, "p5.48xlarge", 8), (None, "g5.xlarge", 1), (None, "", 8), (True, "p5.48xlarge", 0)],
)
def test_the_plain_network_is_used_otherwise(wanted, machine, gpus):
    assert rdma_of(wanted, machine, gpus) is None


def test_rdma_that_must_be_had_and_is_not_known_is_refused():
    with pytest.raises(InputError, match=r"^rdma: no RDMA is known of g5\.xlarge"):
        rdma_of(True, "g5.xlarge", 1)


def test_a_machines_own_variables_are_added_to_its_groups():
    assert rdma_for("p4d.24xlarge").env == {"FI_PROVIDER": "efa", "FI_EFA_USE_DEVICE_RDMA": "1"}
    assert rdma_for("p5.48xlarge").env == {"FI_PROVIDER": "efa"}
