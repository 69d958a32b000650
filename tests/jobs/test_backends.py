"""What the back ends write for a job, and what they refuse."""

import json
import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.backends import render
from jobs.backends.overlay import overlaid
from jobs.context import JobContext
from jobs.errors import InputError
from jobs.frameworks import complete
from jobs.policy import Elastic, Pods, Policy, Restart
from jobs.role import Dependency, SecretEnv
from jobs.spec import (
    Backend,
    Framework,
    Job,
    Launch,
    Mpi,
    Resources,
    Role,
    Toleration,
    Volume,
)

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("COLONY_GOLDEN") == "write"
CONTEXT = JobContext(colony="spring", cluster="main", cloud="aws", region="us-east-1", owner="ada")
GPUS = Resources(accelerators="H100:8")
JOBS = {
    "job-dask": Job(name="tune", framework="dask", backend="job", nodes=2, run="python tune.py"),
    "volcano-pytorch": Job(
        name="ddp", backend="volcano", nodes=4, resources=GPUS, queue="research", priority="high",
        policy=Policy(backoff_limit=2, ttl=600), run="torchrun train.py",
    ),
    "trainjob-pytorch": Job(
        name="ddp", backend="trainjob", resources=GPUS, queue="research",
        roles={"master": Role(), "worker": Role(replicas=3)}, run="torchrun train.py",
    ),
    "mpijob-mpi": Job(
        name="bert", framework="mpi", backend="mpijob", nodes=2, resources=GPUS,
        run="mpirun python bert.py",
    ),
    "rayjob-ray": Job(
        name="sweep", framework="ray", backend="rayjob", nodes=3, resources=GPUS,
        run="python sweep.py",
    ),
    "jobset-elastic": Job(
        name="mnist", framework="horovod", nodes=2, resources=GPUS, run="horovodrun mnist",
        elastic=Elastic(min=1, max=4), mpi=Mpi(launch=Launch.KUBECTL),
    ),
}  # fmt: skip
"""One for each back end but the plain JobSets of test_jobset.py."""


@pytest.mark.parametrize("name", JOBS)
def test_manifests_are_the_golden_ones(name):
    """COLONY_GOLDEN=write pytest ... writes them anew; read the difference before you commit."""
    manifests = render(JOBS[name], CONTEXT)
    manifests[0]["data"] = dict.fromkeys(manifests[0]["data"], "(text)")
    for manifest in manifests:
        manifest["metadata"]["annotations"]["colony.dev/content-sha256"] = "(hash)"
    file = GOLDEN / f"{name}.yaml"
    if WRITE:
        file.write_text(yaml.dump_all(manifests, Dumper=_Plain, sort_keys=False))
    assert manifests == list(yaml.safe_load_all(file.read_text()))


class _Plain(yaml.SafeDumper):
    """Shared parts are written out."""

    def ignore_aliases(self, data):
        return True


def workload(**fields):
    return render(Job(name="demo", **fields), CONTEXT)[-1]


def template(**fields):
    """The first role's pods under JobSet."""
    return workload(**fields)["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]


def trainer(**fields):
    return template(**fields)["spec"]["containers"][0]


def refusal(**fields):
    with pytest.raises(InputError) as refused:
        render(Job(name="demo", **fields), CONTEXT)
    return [problem.path for problem in refused.value.problems], str(refused.value)


# --- the pod


def test_spread_allows_one_pod_of_the_job_a_node():
    affinity = template(spread=True, nodes=2)["spec"]["affinity"]["podAntiAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    labels = template(spread=True, nodes=2)["metadata"]["labels"]
    assert term["labelSelector"]["matchLabels"].items() <= labels.items()
    assert "affinity" not in template(nodes=2)["spec"]


def test_shared_memory_has_a_limit_only_where_one_is_given():
    def shm(**fields):
        volumes = template(**fields)["spec"]["volumes"]
        return next(each for each in volumes if each["name"] == "shm")["emptyDir"]

    assert shm() == {"medium": "Memory"}
    assert shm(shared_memory="64") == {"medium": "Memory", "sizeLimit": "64Gi"}


@pytest.mark.parametrize(
    ("volume", "source"),
    [
        ({"claim": "data"}, {"persistentVolumeClaim": {"claimName": "data"}}),
        ({"config_map": "data"}, {"configMap": {"name": "data"}}),
        ({"secret": "data"}, {"secret": {"secretName": "data"}}),
        ({"host_path": "/mnt"}, {"hostPath": {"path": "/mnt"}}),
        ({"memory": "2"}, {"emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}),
    ],
)
def test_volumes_are_mounted_from_their_source(volume, source):
    pod = template(volumes=[Volume(path="/data", read_only=True, **volume)])["spec"]
    assert {"name": "volume-0", **source} in pod["volumes"]
    mount = {"name": "volume-0", "mountPath": "/data", "readOnly": True}
    assert mount in pod["containers"][0]["volumeMounts"]


def test_a_volume_of_the_users_takes_the_place_of_ours():
    pod = template(volumes=[Volume(path="/dev/shm", memory="8")])["spec"]
    paths = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    assert len(set(paths)) == len(paths)
    assert "shm" not in {volume["name"] for volume in pod["volumes"]}


def test_tolerations_pull_secrets_and_host_network_reach_the_pod():
    spot = Toleration(key="spot", operator="Exists", effect="NoSchedule")
    role = {"worker": Role(host_network=True, resources=GPUS)}
    pod = template(roles=role, tolerations=[spot], image_pull_secrets=["registry"])["spec"]
    gpu = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert pod["tolerations"] == [
        gpu,
        {"key": "spot", "operator": "Exists", "effect": "NoSchedule"},
    ]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "ClusterFirstWithHostNet")


def test_a_launcher_without_gpus_tolerates_the_taints_of_its_workers():
    roles = workload(framework="mpi", nodes=2, resources=GPUS)["spec"]["replicatedJobs"]
    launcher = next(each for each in roles if each["name"] == "launcher")
    pod = launcher["template"]["spec"]["template"]["spec"]
    assert "nvidia.com/gpu" not in json.dumps(pod["containers"])
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"


def test_environment_from_secrets_is_only_referred_to():
    sources = [SecretEnv(secret="all"), SecretEnv(secret="one", keys={"TOKEN": "token"})]
    container = trainer(env_from=sources)
    assert {"secretRef": {"name": "all"}} in container["envFrom"]
    reference = {"secretKeyRef": {"name": "one", "key": "token"}}
    assert {"name": "TOKEN", "valueFrom": reference} in container["env"]
    paths, text = refusal(env_from=sources, envs={"TOKEN": "x"})
    assert paths == ["env_from"]
    assert "TOKEN" in text


def test_rdma_is_asked_for_where_the_machine_has_it():
    context = JobContext("spring", "main", "aws", "us-east-1", instance_type="p5.48xlarge")

    def container(**fields):
        job = Job(name="demo", resources=GPUS, **fields)
        roles = render(job, context)[-1]["spec"]["replicatedJobs"]
        return roles[0]["template"]["spec"]["template"]["spec"]["containers"][0]

    found = container(envs={"FI_PROVIDER": "mine"})
    assert found["resources"]["limits"]["vpc.amazonaws.com/efa"] == "32"
    assert found["resources"]["requests"]["cpu"] == "1", "huge pages need cpu or memory"
    assert "IPC_LOCK" in found["securityContext"]["capabilities"]["add"]
    assert [e["value"] for e in found["env"] if e["name"] == "FI_PROVIDER"] == ["mine"]
    assert "vpc.amazonaws.com/efa" not in container(rdma=False)["resources"]["limits"]
    assert refusal(resources=GPUS, rdma=True)[0] == ["rdma"]


@pytest.mark.parametrize("backend", ["jobset", "job", "volcano", "trainjob"])
def test_only_a_launcher_that_execs_has_rights_and_a_token(backend):
    job = Job(
        name="demo", framework="mpi", backend=backend, nodes=2, mpi=Mpi(launch=Launch.KUBECTL)
    )
    manifests = render(job, CONTEXT)
    (role,) = (each for each in manifests if each["kind"] == "Role")
    verbs = {(*rule["resources"], *rule["verbs"]) for rule in role["rules"]}
    assert verbs == {("pods", "get", "list"), ("pods/exec", "create")}
    text = yaml.safe_dump(manifests)
    assert text.count("automountServiceAccountToken: true") == 1
    (binding,) = (each for each in manifests if each["kind"] == "RoleBinding")
    assert binding["subjects"][0]["name"] == "demo-launcher"
    plain = render(job.model_copy(update={"mpi": Mpi()}), CONTEXT)
    assert "Role" not in {each["kind"] for each in plain}


def test_the_launcher_with_a_clouds_identity_keeps_it_and_gets_the_rights():
    context = JobContext("spring", "main", "aws", "us-east-1", service_account="outputs")
    job = Job(name="demo", framework="mpi", mpi=Mpi(launch=Launch.KUBECTL))
    manifests = render(job, context)
    (binding,) = (each for each in manifests if each["kind"] == "RoleBinding")
    assert binding["subjects"][0]["name"] == "outputs"
    assert "ServiceAccount" not in {each["kind"] for each in manifests}


# --- the user's template


def test_a_template_is_laid_over_the_pod():
    above = {
        "metadata": {"labels": {"team": "a", "colony.dev/role": "x"}, "annotations": {"n": "1"}},
        "spec": {
            "restartPolicy": "Always",
            "runtimeClassName": "nvidia",
            "containers": [
                {"name": "trainer", "env": [{"name": "MASTER_PORT", "value": "1"}], "tty": True},
                {"name": "proxy", "image": "proxy:1"},
            ],
            "tolerations": [{"key": "mine", "operator": "Exists"}],
        },
    }
    made = template(roles={"worker": Role(template=above)})
    assert made["metadata"]["labels"]["team"] == "a"
    assert made["metadata"]["labels"]["colony.dev/role"] == "worker"
    assert made["metadata"]["annotations"] == {"n": "1"}
    spec = made["spec"]
    assert (spec["restartPolicy"], spec["runtimeClassName"]) == ("Never", "nvidia")
    assert [each["name"] for each in spec["containers"]] == ["trainer", "proxy"]
    env = {each["name"]: each.get("value") for each in spec["containers"][0]["env"]}
    assert env["MASTER_PORT"] == "1"
    assert env["WORLD_SIZE"] == "1"
    assert spec["containers"][0]["tty"] is True
    assert {"key": "mine", "operator": "Exists"} in spec["tolerations"]


@pytest.mark.parametrize(
    ("base", "above", "merged"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": 1, "b": 2}, {"b": None}, {"a": 1}),
        ({"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
        (["a"], ["b"], ["b"]),
        ([{"k": 1}], [{"k": 1}, {"k": 2}], [{"k": 1}, {"k": 2}]),
        ([{"name": "a", "v": 1}], [{"name": "a", "v": 2}], [{"name": "a", "v": 2}]),
        (
            [{"name": "a", "mountPath": "/1"}],
            [{"name": "a", "mountPath": "/2"}],
            [{"name": "a", "mountPath": "/1"}, {"name": "a", "mountPath": "/2"}],
        ),
    ],
)
def test_overlay(base, above, merged):
    before = json.dumps([base, above])
    assert overlaid(base, above) == merged
    assert json.dumps([base, above]) == before


# --- policies


@pytest.mark.parametrize(
    ("restart", "pod", "backoff", "codes"),
    [
        (Restart.NEVER, "Never", 0, [78]),
        (Restart.ON_FAILURE, "OnFailure", 6, None),
        (Restart.EXIT_CODE, "Never", 6, list(range(1, 128))),
    ],
)
def test_restart_policies_of_indexed_jobs(restart, pod, backoff, codes):
    role = {"worker": Role(restart=restart)}
    job = workload(roles=role)["spec"]["replicatedJobs"][0]["template"]["spec"]
    assert job["template"]["spec"]["restartPolicy"] == pod
    assert job["backoffLimit"] == backoff
    rules = job.get("podFailurePolicy", {}).get("rules", [])
    assert [rule["onExitCodes"]["values"] for rule in rules] == ([codes] if codes else [])


def test_a_role_fails_with_its_last_pod_or_succeeds_with_its_first():
    role = Role(replicas=3, failed=Pods.ALL, succeeded=Pods.ANY)
    job = workload(roles={"worker": role})["spec"]["replicatedJobs"][0]["template"]["spec"]
    assert job["backoffLimitPerIndex"] == 0
    assert "backoffLimit" not in job
    assert job["podFailurePolicy"]["rules"][0]["action"] == "FailIndex"
    assert job["successPolicy"] == {"rules": [{"succeededCount": 1}]}


def custom(**fields):
    names = ("a", "b", "c")
    given = {"framework": "custom", "roles": {name: Role() for name in names}}
    return workload(**{**given, **fields})["spec"]


@pytest.mark.parametrize(
    ("success", "said"),
    [
        ([["a", "b", "c"]], {"operator": "All"}),
        ([["a"]], {"operator": "All", "targetReplicatedJobs": ["a"]}),
        ([["a", "b"]], {"operator": "All", "targetReplicatedJobs": ["a", "b"]}),
        ([["a"], ["c"]], {"operator": "Any", "targetReplicatedJobs": ["a", "c"]}),
        ([["a", "b"], ["c"]], {"operator": "All"}),
    ],
)
def test_what_a_jobset_can_say_of_success(success, said):
    assert custom(policy=Policy(success=success))["successPolicy"] == said


def test_a_role_whose_failure_ends_nothing_never_fails_its_jobset():
    spec = custom(policy=Policy(failure=[["a"], ["b", "c"]]))
    limits = {each["name"]: each["template"]["spec"]["backoffLimit"] for each in
              spec["replicatedJobs"]}  # fmt: skip
    assert limits == {"a": 0, "b": 2**31 - 1, "c": 2**31 - 1}


def test_a_jobset_lists_a_role_after_those_it_depends_on():
    roles = {
        "c": Role(depends_on=[Dependency(role="b", phase="Succeeded")]),
        "b": Role(depends_on=["a"]),
        "a": Role(),
    }
    replicated = custom(roles=roles)["replicatedJobs"]
    assert [each["name"] for each in replicated] == ["a", "b", "c"]
    assert replicated[1]["dependsOn"] == [{"name": "a", "status": "Ready"}]
    assert replicated[2]["dependsOn"] == [{"name": "b", "status": "Complete"}]
    assert "dependsOn" not in replicated[0]
    assert not any("initContainers" in json.dumps(each) for each in replicated)


def test_plain_jobs_wait_inside_without_rights():
    roles = {"a": Role(ports={"rpc": 7000}), "b": Role(replicas=2, depends_on=["a"])}
    job = Job(name="demo", framework="custom", backend="job", roles=roles, envs={"SECRET": "s"})
    found = {each["metadata"]["name"]: each for each in render(job, CONTEXT)}
    assert "initContainers" not in found["demo-a"]["spec"]["template"]["spec"]
    pod = found["demo-b"]["spec"]["template"]["spec"]
    (wait,) = pod["initContainers"]
    assert wait["command"][-2:] == ["1800", "demo-a-0.demo:7000"]
    assert [mount["name"] for mount in wait["volumeMounts"]] == ["scripts"]
    assert "env" not in wait
    assert pod["automountServiceAccountToken"] is False
    assert wait["image"] == pod["containers"][0]["image"]


@pytest.mark.parametrize(
    ("backend", "label"),
    [
        ("jobset", "batch.kubernetes.io/job-completion-index"),
        ("job", "batch.kubernetes.io/job-completion-index"),
        ("volcano", "volcano.sh/task-index"),
    ],
)
def test_the_pod_of_rank_0_has_an_address_before_it_is_ready(backend, label):
    roles = {"worker": Role(replicas=2), "master": Role()}
    job = Job(name="demo", backend=backend, roles=roles)
    services = {m["metadata"]["name"]: m["spec"] for m in render(job, CONTEXT)
                if m["kind"] == "Service"}  # fmt: skip
    rank0 = services["demo-rank0"]
    assert (rank0["type"], rank0["publishNotReadyAddresses"]) == ("ClusterIP", True)
    assert rank0["selector"]["colony.dev/role"] == "master"
    assert rank0["selector"][label] == "0"
    assert 29500 in [port["port"] for port in rank0["ports"]]
    assert ("demo" in services) is (backend == "job")
    standalone = Job(name="demo", framework="standalone", backend=backend, nodes=2)
    assert "demo-rank0" not in {m["metadata"]["name"] for m in render(standalone, CONTEXT)}


def test_an_mpijob_has_a_slot_a_process_and_the_jobs_own_mpi():
    spec = workload(
        framework="mpi", backend="mpijob", nodes=2, resources=GPUS, mpi=Mpi(implementation="mpich")
    )["spec"]
    assert (spec["slotsPerWorker"], spec["mpiImplementation"]) == (8, "MPICH")
    assert spec["launcherCreationPolicy"] == "WaitForWorkersReady"
    assert "restartPolicy" not in spec["mpiReplicaSpecs"]["Worker"]["template"]["spec"]


def volcano(**fields):
    return workload(backend="volcano", **fields)["spec"]


def test_a_volcano_gang_is_all_pods_and_waits_inside():
    roles = {"a": Role(ports={"rpc": 7000}), "b": Role(replicas=3, depends_on=["a"])}
    spec = volcano(framework="custom", roles=roles)
    assert spec["minAvailable"] == 4
    assert not any("dependsOn" in task for task in spec["tasks"])
    assert spec["tasks"][1]["template"]["spec"]["initContainers"][0]["name"] == "wait"


def test_volcano_holds_a_task_back_where_the_gang_does_not_need_it():
    roles = {"launcher": Role(), "worker": Role(replicas=4)}
    spec = volcano(framework="mpi", roles=roles, policy=Policy(gang=4))
    assert spec["minAvailable"] == 4
    launcher = next(task for task in spec["tasks"] if task["name"] == "launcher")
    assert launcher["dependsOn"] == {"name": ["worker"], "iteration": "all"}
    assert "initContainers" not in launcher["template"]["spec"]


@pytest.mark.parametrize(
    ("limit", "action", "retries"), [(0, "TerminateJob", 1), (3, "RestartJob", 4)]
)
def test_volcano_ends_or_starts_again_after_failure_and_eviction(limit, action, retries):
    """Its webhook would make 3 of a `maxRetry` of 0."""
    spec = volcano(nodes=2, policy=Policy(backoff_limit=limit))
    assert spec["maxRetry"] == retries
    assert spec["policies"] == [{"event": "PodEvicted", "action": action}]
    failed = {"events": ["PodFailed", "TaskFailed"], "action": action}
    assert failed in spec["tasks"][0]["policies"]


def test_volcano_takes_its_own_queue_and_priority_class():
    spec = volcano(queue="research", priority="high")
    assert (spec["queue"], spec["priorityClassName"]) == ("research", "high")
    assert volcano()["queue"] == "default"


def test_the_runs_bound_is_on_every_kind():
    for backend, path in {
        "job": ("activeDeadlineSeconds",),
        "trainjob": ("activeDeadlineSeconds",),
        "volcano": ("tasks", 0, "template", "spec", "activeDeadlineSeconds"),
    }.items():
        found = workload(backend=backend, max_run_time=90)["spec"]
        for step in path:
            found = found[step]
        assert found == 90, backend
    mpi = workload(framework="mpi", backend="mpijob", max_run_time=90)["spec"]
    assert mpi["runPolicy"]["activeDeadlineSeconds"] == 90
    ray = workload(framework="ray", backend="rayjob", max_run_time=90)["spec"]
    assert ray["activeDeadlineSeconds"] == 90
    assert ray["preRunningDeadlineSeconds"] == 1800


@pytest.mark.parametrize("backend", ["jobset", "job", "trainjob", "mpijob", "rayjob"])
@pytest.mark.parametrize("why", [{"suspend": True}, {"queue": "research"}])
def test_a_job_that_waits_is_made_suspended_and_resuming_changes_no_hash(backend, why):
    framework = {"mpijob": "mpi", "rayjob": "ray"}.get(backend, "pytorch")
    made = workload(framework=framework, backend=backend, **why)
    spec = made["spec"].get("runPolicy", made["spec"])
    assert spec["suspend"] is True
    if "suspend" in why:
        resumed = workload(framework=framework, backend=backend)
        assert resumed["metadata"] == made["metadata"]
        assert resumed["spec"].get("runPolicy", resumed["spec"])["suspend"] is False


# --- refusals


@pytest.mark.parametrize(
    ("fields", "path", "hint"),
    [
        ({"backend": "volcano", "suspend": True}, "suspend", "jobset"),
        ({"backend": "jobset", "nodes": 4, "policy": Policy(gang=2)}, "policy.gang", "volcano"),
        ({"backend": "job", "nodes": 2, "policy": Policy(backoff_limit=1)},
         "policy.backoff_limit", "jobset"),
        ({"backend": "job", "framework": "mpi", "queue": "research"}, "queue", "jobset"),
        ({"backend": "jobset", "framework": "custom", "policy": Policy(success=[["a"]]),
          "roles": {"a": Role(), "b": Role(restart=Restart.ALWAYS)}}, "roles.b.restart", "volcano"),
        ({"backend": "job", "framework": "custom",
          "roles": {"a": Role(), "b": Role(depends_on=[Dependency(role="a", phase="Succeeded")])}},
         "roles.b.depends_on[0]", "jobset or trainjob"),
        ({"backend": "mpijob", "framework": "mpi",
          "roles": {"worker": Role(depends_on=["launcher"]), "launcher": Role(depends_on=[])}},
         "roles.worker.depends_on[0]", "remove it"),
    ],
)  # fmt: skip
def test_what_an_engine_cannot_say_is_refused_by_name(fields, path, hint):
    paths, text = refusal(**fields)
    assert paths == [path]
    assert hint in text


# --- any graph of roles

NAMES = ("a", "bee", "c3", "delta-4")


@st.composite
def graphs(draw):
    """Roles that depend on roles before them, in any order of the file."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    roles = {}
    for place, name in enumerate(names):
        before = draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        restart = draw(st.sampled_from([Restart.NEVER, Restart.ON_FAILURE, Restart.EXIT_CODE]))
        replicas = draw(st.integers(1, 3))
        ports = {"rpc": 7000 + place}
        roles[name] = Role(replicas=replicas, depends_on=before, restart=restart, ports=ports)
    order = draw(st.permutations(list(roles)))
    return {name: roles[name] for name in order}


@settings(deadline=None, max_examples=30)
@given(graphs(), st.sampled_from([Backend.JOBSET, Backend.JOB, Backend.VOLCANO]))
def test_any_graph_renders_to_objects_that_kubernetes_can_name(roles, backend):
    job = Job(name="demo", framework=Framework.CUSTOM, backend=backend, roles=roles)
    manifests = render(job, CONTEXT)
    assert manifests == render(complete(job), CONTEXT)
    for manifest in manifests:
        name = manifest["metadata"]["name"]
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
        assert len(name) <= 63
    if backend is Backend.JOBSET:
        seen = set()
        for each in manifests[-1]["spec"]["replicatedJobs"]:
            assert {before["name"] for before in each.get("dependsOn", [])} <= seen
            seen.add(each["name"])
        assert seen == set(roles)
