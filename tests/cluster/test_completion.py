"""The agent and the real controllers: each kind of job succeeds, fails, is deleted and is started
again, while the agent is killed again and again; its end is told of exactly once."""

import json
import random
import time

import pytest
from agent_process import AgentProcess
from receiver import Receiver

from colony.agent.completion import read_completion
from colony.agent.signature import verified
from components.agent import agent_manifests
from components.agent_completion import completion_config
from components.signal_spec import Signal
from jobs.backends import KINDS, render
from jobs.context import JobContext
from jobs.policy import Policy
from jobs.spec import Backend, Framework, Job, Resources, Role

CONTROLLERS = ("jobset", "mpi", "trainer", "kuberay", "volcano")
pytestmark = [pytest.mark.timeout(900), pytest.mark.controllers(*CONTROLLERS)]
CHAOS = "pod-container-running-failed.stage.kwok.x-k8s.io"
FAILING = {"metadata": {"labels": {CHAOS: "true"}, "annotations": {f"{CHAOS}/exit-code": "3"}}}
PACE = "pod-complete.stage.kwok.x-k8s.io"
LASTING = {"metadata": {"annotations": {f"{PACE}/delay": "1h", f"{PACE}/jitter-delay": "1h"}}}
FRAMEWORKS = {Backend.MPIJOB: Framework.MPI, Backend.RAYJOB: Framework.RAY}
SIGNAL = Signal(name="hook", kind="webhook", url="https://example.com", secret="hooks/key")
DEADLINE = 420
ELASTIC = "elastic"
ALL = (*Backend, ELASTIC)
RUNNING = "status.phase=Running"


@pytest.fixture(scope="session")
def engines(controllers):
    controllers.start(*CONTROLLERS)
    return controllers


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


def job(kind, template=None, again=0):
    """Of a back end, or elastic; `again`: so often its controller starts it after an error."""
    if kind == ELASTIC:
        return elastic(template, again)
    framework = FRAMEWORKS.get(kind, Framework.PYTORCH)
    role = "launcher" if framework is Framework.MPI else "worker"
    roles = (
        {} if template is None or framework is Framework.RAY else {role: Role(template=template)}
    )
    if roles and role == "launcher":
        roles = {"worker": Role(template=LASTING), **roles}
    return Job(
        name=f"a-{kind.value}", framework=framework, backend=kind, run="train", nodes=1,
        resources=Resources(accelerators="H100:1"), roles=roles, policy=Policy(backoff_limit=again),
    )  # fmt: skip


def elastic(template, again):
    """Its end is its launcher's; its workers are the agent's."""
    launcher = {"template": template} if template else {}
    return Job.model_validate(
        {
            "name": "a-elastic", "framework": "horovod", "run": "train",
            "roles": {"launcher": launcher, "worker": {"replicas": 2, "restart": "OnFailure"}},
            "elastic": {"min": 1, "max": 3}, "policy": {"backoff_limit": again},
        }
    )  # fmt: skip


def ending_role(each):
    """The pods of the role whose end is the job's."""
    roles = {Framework.MPI: "launcher", Framework.HOROVOD: "launcher"}
    role = roles.get(each.framework, "worker")
    return f"colony.dev/job={each.name},colony.dev/role={role}"


class Colony:
    """Its jobs on a real cluster, and its agent: the account's own rights and token."""

    def __init__(self, plane, cluster, namespace, folder, receiver, jobs):
        self.cluster, self.namespace, self.jobs = cluster, namespace, jobs
        told = [SIGNAL]
        rights = agent_manifests("colony-agent", namespace, {namespace: jobs}, signals=told)
        cluster.apply(*[each for each in rights if each["kind"] != "Deployment"])
        config = completion_config(told, "colony-agent", namespace, namespace, {namespace: jobs})
        (folder / "key").write_text("secret")
        [signal] = config["signals"]
        signal |= {"url": receiver.url, "secret": str(folder / "key")}
        account = plane.service_account(namespace, "colony-agent")
        elastic = [each.name for each in jobs if each.elastic]
        self.agent = AgentProcess(account, folder, namespace, *elastic, completion=config)

    def begin(self):
        context = JobContext("spring", "main", "existing", "", namespace=self.namespace)
        for each in self.jobs:
            for manifest in render(each, context):
                self.cluster.apply(manifest, namespace=self.namespace)

    def state(self):
        found = self.cluster.get("v1/ConfigMap", "colony-agent-completion", self.namespace)
        return read_completion((found or {}).get("data") or {})

    def workload(self, job):
        """Kind and name of the object that makes all others of the job."""
        kind = "/".join(KINDS[job.backend])
        [name] = [
            each["metadata"]["name"]
            for each in self.cluster.list(kind, self.namespace)
            if each["metadata"]["name"] in (job.name, f"{job.name}-worker")
            and not each["metadata"].get("ownerReferences")
        ]
        return kind, name

    def runs(self, job):
        """The pods that the job's end depends on, once they run."""
        if job.backend is Backend.RAYJOB:
            return set()

        def found():
            pods = self.cluster.list("v1/Pod", self.namespace, ending_role(job), RUNNING)
            return {each["metadata"]["name"]: each["metadata"]["uid"] for each in pods}

        return set(self.cluster.wait(found, 90, f"{job.name} runs").values())

    def end(self, job, phase, dashboards):
        """As the kubelets of its pods would say it; of a RayJob, as its dashboard does."""
        if job.backend is Backend.RAYJOB:
            return dashboards.ends(job.name, phase.upper())
        code = 0 if phase == "Succeeded" else 1
        for pod in self.cluster.list("v1/Pod", self.namespace, ending_role(job), RUNNING):
            statuses = [
                {**each, "ready": False, "started": False,
                 "state": {"terminated": {"exitCode": code, "reason": "Completed"}}}
                for each in pod["status"]["containerStatuses"]
            ]  # fmt: skip
            body = {"status": {"phase": phase, "containerStatuses": statuses}}
            self.cluster.patch("v1/Pod", pod["metadata"]["name"], body, self.namespace, "status")

    def began_again(self, job, before):
        if job.backend is Backend.RAYJOB:
            found = self.cluster.get("ray.io/v1/RayJob", job.name, self.namespace)["status"]
            return found.get("failed", 0) >= 1
        pods = self.cluster.list("v1/Pod", self.namespace, ending_role(job), RUNNING)
        return bool({each["metadata"]["uid"] for each in pods} - before)

    def until(self, happened, what):
        """The agent is killed again and again meanwhile, at any moment."""
        chance, deadline = random.Random(7), time.monotonic() + DEADLINE
        try:
            while not happened(self.state()):
                assert time.monotonic() < deadline, f"{what}: {self.state()}"
                self.agent.start()
                time.sleep(chance.uniform(0.3, 4))
                self.agent.kill()
        finally:
            self.agent.kill()
        return self.state()

    def told(self, receiver, jobs):
        """The record, of which the one signal speaks, however often the agent begins again."""
        state = self.until(lambda s: s.record and s.signals and s.signals["hook"].done, "told")
        assert dict(state.record.jobs) == jobs
        now, heard = time.time(), len(receiver.got)
        ids = {verified("secret", headers, body, now)[0] for _, _, headers, body in receiver.got}
        assert ids == {state.record.id}
        assert json.loads(receiver.got[-1][3])["data"]["jobs"] == jobs
        for _ in range(2):
            self.agent.start()
            time.sleep(1)
            self.agent.kill()
        assert (self.state(), len(receiver.got)) == (state, heard), "it is told of once"
        return state.record


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_every_kind_of_job_ends_in_one_record_and_one_signal(
    plane, cluster, namespace, engines, tmp_path, receiver, outcome
):
    template = FAILING if outcome == "failed" else None
    jobs = [job(kind, template) for kind in ALL]
    engines.dashboards.ends("a-rayjob", outcome.upper())
    colony = Colony(plane, cluster, namespace, tmp_path, receiver, jobs)
    colony.begin()
    record = colony.told(receiver, {each.name: outcome for each in jobs})
    assert record.outcome == outcome


def test_every_kind_of_job_that_is_deleted_is_lost(
    plane, cluster, namespace, engines, tmp_path, receiver
):
    jobs = [job(kind, LASTING) for kind in ALL]
    engines.dashboards.ends("a-rayjob", "RUNNING")
    colony = Colony(plane, cluster, namespace, tmp_path, receiver, jobs)
    colony.begin()
    state = colony.until(lambda state: len(state.jobs) == len(jobs), "all are seen")
    assert state.record is None
    for each in jobs:
        kind, name = colony.workload(each)
        cluster.delete(kind, name, namespace)
    colony.told(receiver, {each.name: "lost" for each in jobs})


def test_every_kind_of_job_that_its_controller_starts_again_has_not_ended(
    plane, cluster, namespace, engines, tmp_path, receiver
):
    jobs = [job(kind, LASTING, again=3) for kind in ALL]
    engines.dashboards.ends("a-rayjob", "RUNNING")
    colony = Colony(plane, cluster, namespace, tmp_path, receiver, jobs)
    colony.begin()
    colony.until(lambda state: len(state.jobs) == len(jobs), "all are seen")
    first = {each.name: colony.runs(each) for each in jobs}

    for each in jobs:
        colony.end(each, "Failed", engines.dashboards)
    colony.until(
        lambda _: all(colony.began_again(each, first[each.name]) for each in jobs), "again"
    )
    second = {each.name: colony.runs(each) for each in jobs}
    assert not [name for name in first if name != "a-rayjob" and first[name] & second[name]]
    state = colony.state()
    assert state.record is None and not any(mark.outcome for mark in state.jobs.values())

    for each in jobs:
        colony.end(each, "Succeeded", engines.dashboards)
    record = colony.told(receiver, {each.name: "succeeded" for each in jobs})
    assert record.outcome == "succeeded"
