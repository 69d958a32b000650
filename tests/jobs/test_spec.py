import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.errors import Problem
from jobs.model import Strict
from jobs.names import check_name, slugify
from jobs.problems import Unbuilt
from jobs.spec import Job
from jobs.wording import check

SECRET = "hunter2"


def job(**fields):
    value, problems = check(Job, {"name": "train", "run": "true", **fields})
    assert not problems, problems
    return value


def problems(**fields):
    return check(Job, {"name": "train", "run": "true", **fields})[1]


def test_the_defaults_are_those_of_the_documentation():
    plain = job()
    assert (plain.max_run_time, plain.policy.startup_timeout) == (24 * 3600, 30 * 60)
    assert (plain.nodes, plain.policy.backoff_limit, plain.resources.use_spot) == (1, 0, False)
    assert (plain.framework.value, plain.backend.value) == ("pytorch", "jobset")


def test_values_are_made_canonical():
    value = job(
        framework="PyTorch",
        max_run_time="2h30m",
        envs={"N": 3, "RATE": 0.5},
        resources={"accelerators": "h100:8", "cpus": 4, "memory": "512GB+", "cloud": "AWS"},
    )
    assert value.max_run_time == 9000
    assert value.envs == {"N": "3", "RATE": "0.5"}
    assert value.resources.accelerators == "H100:8"
    assert (value.resources.cpus, value.resources.memory) == ("4", "512+")
    assert value.resources.cloud == "aws"


def test_every_problem_is_reported_at_once():
    found = problems(nodes=1.5, imag="x", framework="pytroch", envs={"A": None}, roles={"a": 1})
    assert {p.path for p in found} == {"nodes", "imag", "framework", "envs.A", "roles.a"}


@pytest.mark.parametrize(
    ("fields", "path", "hint"),
    [
        ({"acelerators": "H100"}, "acelerators", ""),
        ({"num_nodes": 2}, "num_nodes", "did you mean `nodes`?"),
        ({"env": {}}, "env", "did you mean `envs`?"),
        ({"resources": {"acelerators": "x"}}, "resources.acelerators", "`accelerators`"),
        ({"roles": {"run": {"imag": "x"}}}, "roles.run.imag", "did you mean `image`?"),
        ({"outputs": [{"path": "a", "too": "x"}]}, "outputs[0].too", "did you mean `to`?"),
        ({"policy": {"backof_limit": 1}}, "policy.backof_limit", "`backoff_limit`"),
    ],
)
def test_an_unknown_field_is_named_with_its_path_and_near_match(fields, path, hint):
    unknown = [p for p in problems(**fields) if p.message == "unknown field"]
    assert [p.path for p in unknown] == [path]
    assert hint in unknown[0].hint


@pytest.mark.parametrize(
    ("fields", "path"),
    [({"resources": {"cloud": name}}, "resources.cloud") for name in ("lambda", "ssh", "oci")],
)
def test_what_is_not_built_is_refused_by_name(fields, path):
    (found,) = problems(**fields)
    assert isinstance(found, Unbuilt)
    said = f"not provisionable here: {fields['resources']['cloud']} has no cluster kind"
    assert (found.path, found.message) == (path, said), "as in a plan's refusals"


@pytest.mark.parametrize("wrong", [0, -1, 1.5, 2.0, True, "2", None, [], float("nan"), 10**6])
def test_nodes_are_whole_and_at_least_one(wrong):
    assert [p.path for p in problems(nodes=wrong)] == ["nodes"]


@pytest.mark.parametrize(
    "image",
    ["${IMAGE}", "<image>", "<docker-image>", "$IMAGE", "{{image}}", "gcr.io/<project>/train:1"],
)
def test_a_placeholder_is_no_image(image):
    (found,) = problems(image=image)
    assert (found.path, "is a placeholder" in found.message) == ("image", True)


@pytest.mark.parametrize("image", ["IMAGE_NAME_HERE", "my image", "", ":latest", "a/", "a:b:c"])
def test_a_wrong_image_name_is_refused(image):
    (found,) = problems(image=image)
    assert found.path == "image"


@pytest.mark.parametrize(
    "image",
    [
        "python",
        "python:3.12-slim",
        "localhost:5000/team/train_me:V1",
        "REGISTRY.example.com/team/train__x:1.0",
        "ghcr.io/a/b-c.d@sha256:" + "0" * 64,
    ],
)
def test_image_names_are_accepted_as_they_are(image):
    assert job(image=image).image == image


@pytest.mark.parametrize("name", ["train", "a", "a-1", "x" * 40])
def test_names_are_dns_labels(name):
    assert check(Job, {"name": name})[0].name == name


@pytest.mark.parametrize("name", ["", "Train", "a_b", "-a", "a-", "1a", "a.b", "x" * 41, 7, None])
def test_other_names_are_refused(name):
    assert [p.path for p in check(Job, {"name": name})[1]] == ["name"]


def test_job_and_role_names_fit_a_pods_host_name_together():
    role = {"a" * 30: {}}
    (found,) = check(Job, {"name": "t" * 40, "roles": role})[1]
    assert found.path == f"roles.{'a' * 30}"
    assert check(Job, {"name": "t" * 10, "roles": role})[1] == []


@given(st.text(max_size=80))
def test_a_slug_is_a_valid_name_or_empty(text):
    slug = slugify(text)
    assert slug == "" or check_name(slug, 40) == slug


@pytest.mark.parametrize(
    ("text", "slug"),
    [("minGPT-ddp", "mingpt-ddp"), ("a_b.c", "a-b-c"), ("Größe", "groe"), ("3d", "job-3d")],
)
def test_slugs(text, slug):
    assert slugify(text) == slug


def test_a_variable_without_a_value_says_how_to_give_it():
    assert problems(envs={"A": None}) == [
        Problem("envs.A", "required: it has no value", "give it with --env A=VALUE")
    ]
    (secret,) = problems(secrets={"A": None})
    assert "taken from your environment" in secret.hint


@pytest.mark.parametrize("key", ["1A", "A-B", "", "A B", "Ä"])
@pytest.mark.parametrize("group", ["envs", "secrets"])
def test_variables_have_names_a_shell_accepts(group, key):
    (found,) = problems(**{group: {key: "x"}})
    assert found.path.startswith(f"{group}.")


@pytest.mark.parametrize(
    "fields",
    [
        {"secrets": {"A": SECRET}, "envs": {"A": "x"}},
        {"secrets": {"A": [SECRET]}},
        {"secrets": {"A": {SECRET: SECRET}}},
        {"secrets": {"1A": SECRET}},
        {"secrets": SECRET},
        {"secrets": [SECRET]},
        {"secrets": {"A": SECRET}, "nodes": 0, "wrong": 1},
        {"envs": {"A": [SECRET]}},
    ],
)
def test_no_secret_is_in_a_message(fields):
    found = problems(**fields)
    assert found
    assert SECRET not in " ".join(map(str, found))
    with pytest.raises(ValidationError) as caught:
        Job.model_validate({"name": "train", **fields})
    assert SECRET not in str(caught.value)


def test_no_secret_is_in_a_repr_or_a_dump_but_its_name_is():
    value = job(secrets={"TOKEN": SECRET})
    assert value.secrets == {"TOKEN": SECRET}
    assert value.model_dump()["secrets"] == {"TOKEN": ""}
    for shown in (repr(value), str(value), value.model_dump_json()):
        assert SECRET not in shown


@pytest.mark.parametrize(
    ("resources", "cloud", "context"),
    [
        ({"cloud": "kubernetes"}, None, None),
        ({"cloud": "K8S"}, None, None),
        ({"cloud": "kubernetes", "context": "a/b"}, "existing", "a/b"),
        ({"context": "kind"}, "existing", "kind"),
        ({"cloud": "existing"}, "existing", None),
        ({"cloud": "gcp"}, "gcp", None),
    ],
)
def test_kubernetes_is_anywhere_unless_it_names_a_context(resources, cloud, context):
    found = job(resources=resources).resources
    assert (found.cloud, found.context) == (cloud, context)


@pytest.mark.parametrize(
    ("resources", "path"),
    [
        ({"context": "kind", "use_spot": True}, "resources.use_spot"),
        ({"context": "kind", "region": "us-east-1"}, "resources.region"),
        ({"context": "kind", "cloud": "aws"}, "resources.context"),
        ({"context": "kind", "instance_type": "p5"}, "resources.instance_type"),
        ({"cloud": "asw"}, "resources.cloud"),
        ({"use_spot": "yes"}, "resources.use_spot"),
        ({"use_spot": 1}, "resources.use_spot"),
        ({"labels": {"a b": "x"}}, "resources.labels.a b"),
        ({"labels": {"a": "x y"}}, "resources.labels.a"),
        ({"region": "us east"}, "resources.region"),
    ],
)
def test_resources_that_contradict_themselves_are_refused(resources, path):
    assert [p.path for p in problems(resources=resources)] == [path]


@pytest.mark.parametrize("to", ["s3://b", "gs://b/x", "az://b/x/y", "file:///tmp/x"])
def test_outputs_go_to_a_bucket_or_a_folder(to):
    assert job(outputs=[{"path": "results", "to": to}]).outputs[0].to == to


@pytest.mark.parametrize(
    "to", ["b", "s3:/b", "s3://", "file://x", "file:///", "http://x", "s3://a b", "s3://$BUCKET"]
)
def test_outputs_go_nowhere_else(to):
    assert [p.path for p in problems(outputs=[{"path": "x", "to": to}])] == ["outputs[0].to"]


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../x", ""])
def test_outputs_lie_inside_the_working_directory(path):
    found = problems(outputs=[{"path": path, "to": "s3://b"}])
    assert [p.path for p in found] == ["outputs[0].path"]


def test_nodes_may_only_repeat_what_the_roles_say():
    roles = {"head": {}, "worker": {"replicas": 3}}
    assert job(roles=roles, nodes=4).nodes == 4
    assert [p.path for p in problems(roles=roles, nodes=3)] == ["nodes"]


def test_a_dump_is_read_back_as_the_same_job():
    value = job(
        nodes=2,
        image="python",
        envs={"A": 1},
        roles={"worker": {"replicas": 2, "resources": {"accelerators": "L4:1"}}},
        resources={"accelerators": "H100:8", "memory": "1.5GB+", "context": "kind"},
        outputs=[{"path": "x", "to": "s3://b"}],
    )
    assert Job.model_validate(value.model_dump(mode="json")) == value


@pytest.mark.parametrize(
    ("value", "hint"),
    [({"IMAGE": None}, "put it in quotes"), (7, "put it in quotes"), ({"a": []}, ""), ({}, "")],
)
def test_quotes_are_advised_where_they_help(value, hint):
    (found,) = problems(image=value)
    assert (found.path, found.hint) == ("image", hint)


def test_a_model_of_ones_own_gets_the_same_words():
    class Own(Strict):
        names: list[str]

    assert check(Own, {"names": "x"})[1] == [
        Problem("names", "must be a list (`- item` lines), not x")
    ]
    assert check(Own, "x")[1] == [Problem("", "must be a mapping (`key: value` lines), not x")]


@pytest.mark.parametrize(
    ("role", "path"),
    [
        ({"replicas": 0}, "replicas"),
        ({"processes": 0}, "processes"),
        ({"restart": "Sometimes"}, "restart"),
        ({"failed": "SomePods"}, "failed"),
        ({"ports": {"http": 0}}, "ports.http"),
        ({"ports": {"a-name-that-is-long": 80}}, "ports.a-name-that-is-long"),
        ({"ports": {"HTTP": 80}}, "ports.HTTP"),
        ({"depends_on": ["Worker_1"]}, "depends_on"),
        ({"depends_on": [{"role": "a", "phase": "Pending"}]}, "depends_on[0].phase"),
        ({"template": {"sepc": {}}}, "template.sepc"),
        ({"template": {"spec": []}}, "template.spec"),
        ({"image": "<image>"}, "image"),
    ],
)
def test_a_role_that_kubernetes_would_not_take_is_refused(role, path):
    assert [p.path for p in problems(roles={"worker": role})] == [f"roles.worker.{path}"]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"volumes": [{"path": "/data"}]}, "volumes[0]"),
        ({"volumes": [{"path": "/data", "claim": "a", "memory": "1GB"}]}, "volumes[0]"),
        ({"volumes": [{"path": "data", "claim": "a"}]}, "volumes[0].path"),
        ({"tolerations": [{"operator": "Like"}]}, "tolerations[0].operator"),
        ({"tolerations": [{"operator": "Exists", "value": "x"}]}, "tolerations[0].value"),
        ({"tolerations": [{"key": "a", "effect": "NoRun"}]}, "tolerations[0].effect"),
        ({"env_from": [{"secret": "s", "keys": {"1A": "x"}}]}, "env_from[0].keys.1A"),
        ({"image_pull_secrets": ["Reg"]}, "image_pull_secrets.Reg"),
        ({"shared_memory": "much"}, "shared_memory"),
        ({"elastic": {"min": 2, "max": 1}}, "elastic.min"),
        ({"elastic": {"min": 0, "max": 1}}, "elastic.min"),
        ({"elastic": {}}, "elastic.max"),
        ({"policy": {"gang": 0}}, "policy.gang"),
        ({"policy": {"success": [["a"], []]}}, "policy.success"),
        ({"policy": {"clean_up": "Some"}}, "policy.clean_up"),
        ({"mpi": {"hostfile": "hosts"}}, "mpi.hostfile"),
        ({"suspend": "yes"}, "suspend"),
    ],
)
def test_what_a_job_cannot_say_is_refused_with_its_path(fields, path):
    assert [p.path for p in problems(**fields)] == [path]


def test_a_dependency_by_name_means_that_it_runs():
    roles = {"a": {"depends_on": ["b"]}, "b": {}}
    (found,) = job(framework="custom", roles=roles).roles["a"].depends_on
    assert (found.role, found.phase.value) == ("b", "Running")
