"""The forms of resources, and the candidates that come of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sky_candidates import choice_of, recorded

from jobs.accelerators import find, known
from jobs.importers.sky.accelerators import Gpus, wanted
from jobs.importers.sky.place import cloud_name, parse_infra
from jobs.importers.skypilot import import_task
from jobs.problems import NotHonoured

BUILT = [name for name in known() if find(name).built]


def kinds(resources):
    choice, result = choice_of(resources)
    assert not result.problems, result.problems
    return choice.preference.value, [str(one.gpus) for one in choice.candidates]


def job_of(resources):
    result = import_task({"run": "x", "resources": resources}, "task")
    assert not result.problems, result.problems
    return result.job, result.warnings


@pytest.mark.parametrize(
    ("accelerators", "preference", "expected"),
    [
        ("h100", "any", ["H100:1"]),
        ("L4:0.5", "any", ["L4:0.5"]),
        ({"A100:1": None, "V100": None}, "any", ["A100:1", "V100:1"]),
        ({"A100", "V100:2"}, "any", ["A100:1", "V100:2"]),
        ({"A100": 1, "L4": 2}, "any", ["A100:1", "L4:2"]),
        ({"A100": 1, "a100-40gb:1": None}, "any", ["A100:1"]),
        (["L4:1", "A100:1", "l4"], "ordered", ["L4:1", "A100:1"]),
        ("141GB", "any", ["H200:1", "H200-NVL:1"]),
        ("amd:192GB:8", "any", ["MI300X:8"]),
        ("NVIDIA:1TB+", "refused", "1TB"),
        (["H100:8", "94GB:8", "H100-NVL:8"], "ordered", ["H100:8", "H100-NVL:8"]),
        ({"94GB": 2}, "any", ["H100-NVL:2"]),
        ("81GB", "refused", "no nvidia accelerator has 81GB"),
        ("nvdia:80GB", "refused", "unknown vendor nvdia"),
        ("A100:1:2", "refused", "has a vendor, but no memory size"),
        ("80GB:0", "refused", "more than 0"),
        (["A100", 8], "refused", "not 8"),
        ({"A100": "1"}, "refused", "must be a number"),
        ({"A100": True}, "refused", "must be a number"),
        ([], "refused", "empty"),
        ({}, "refused", "empty"),
        (8, "refused", "not 8"),
        ("H100-80GB-MEGA", "refused", "unknown accelerator"),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),
)
def test_the_forms_of_accelerators(accelerators, preference, expected):
    if preference != "refused":
        assert kinds({"accelerators": accelerators}) == (preference, expected)
        return
    choice, result = choice_of({"accelerators": accelerators})
    assert (choice, [p.path for p in result.problems]) == (None, ["resources.accelerators"])
    assert expected in result.problems[0].message


def test_at_least_is_all_of_one_vendor_with_so_much_memory():
    _, found = kinds({"accelerators": "80GB+:8"})
    names = {text.partition(":")[0] for text in found}
    expected = {n for n in known() if find(n).vendor == "nvidia" and find(n).memory_gb >= 80}
    assert names == expected > {"A100-80GB", "H100", "H200"}
    assert {text.partition(":")[2] for text in found} == {"8"}


@given(st.sampled_from(BUILT), st.one_of(st.integers(1, 999_999), st.sampled_from([0.25, 0.5])))
def test_what_is_written_is_read_as_the_same(name, count):
    one = Gpus(name, count)
    assert wanted(str(one)).kinds == (one,)
    assert wanted({name: count}).kinds == wanted({str(one): None}).kinds == (one,)


@given(st.lists(st.tuples(st.sampled_from(BUILT), st.integers(1, 16)), min_size=1))
def test_a_list_keeps_its_order_without_what_is_there_already(pairs):
    texts = [f"{name}:{count}" for name, count in pairs]
    found = wanted(texts)
    assert (found.ordered, [str(kind) for kind in found.kinds]) == (
        True,
        list(dict.fromkeys(texts)),
    )
    assert {str(kind) for kind in wanted(set(texts)).kinds} == set(texts)


words = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)
parts = st.one_of(st.just("*"), words)


@given(st.sampled_from(["aws", "GCP", "lambda", "*"]), parts, parts)
def test_a_place_is_its_parts_without_those_that_are_any(cloud, region, zone):
    expected = {"cloud": cloud.lower(), "region": region, "zone": zone}
    expected = {name: part for name, part in expected.items() if part != "*"}
    assert parse_infra(f"{cloud}/{region}/{zone}") == expected


@given(st.sampled_from(["k8s", "Kubernetes"]), st.lists(words, min_size=1, max_size=4))
def test_a_context_may_hold_slashes(cloud, names):
    context = "/".join(names)
    place = {"cloud": "kubernetes", "region": context}
    assert parse_infra(f"{cloud}/{context}") == place


@pytest.mark.parametrize(
    ("infra", "place"),
    [
        ("ssh/rack", {"cloud": "ssh", "region": "ssh-rack"}),
        ("slurm/big", {"cloud": "slurm", "region": "big"}),
        ("aws/*/us-east-1a", {"cloud": "aws", "zone": "us-east-1a"}),
        ("*", {}),
        ("k8s/*", {"cloud": "kubernetes"}),
    ],
)
def test_places_with_rules_of_their_own(infra, place):
    assert parse_infra(infra) == place


@pytest.mark.parametrize("name", ["onprem", "existing", "awz", "", None, 7])
def test_clouds_that_skypilot_does_not_have(name):
    with pytest.raises(ValueError, match="unknown cloud"):
        cloud_name(name)


@pytest.mark.parametrize(
    ("resources", "preference", "expected"),
    [
        (
            {"cpus": 4, "any_of": [{"infra": "aws"}, {"cpus": "8+", "use_spot": True}]},
            "any",
            [{"cloud": "aws", "cpus": "4"}, {"cpus": "8+", "use_spot": True}],
        ),
        (
            {"ordered": [{"infra": "gcp"}, {"infra": "aws"}, {"infra": "gcp"}]},
            "ordered",
            [{"cloud": "gcp"}, {"cloud": "aws"}],
        ),
        (
            {"accelerators": {"A100": 1, "L4": 2}, "any_of": [{"infra": "aws"}, {"infra": "gcp"}]},
            "any",
            [
                {"accelerators": {"A100": 1}, "cloud": "aws"},
                {"accelerators": {"A100": 1}, "cloud": "gcp"},
                {"accelerators": {"L4": 2}, "cloud": "aws"},
                {"accelerators": {"L4": 2}, "cloud": "gcp"},
            ],
        ),
        (
            {"accelerators": "A100", "ordered": [{"gpus": "L4"}, {"memory": "64GB+"}]},
            "ordered",
            [{"accelerators": {"L4": 1}}, {"accelerators": {"A100": 1}, "memory": "64+"}],
        ),
        (
            {"labels": {"a": "1", "b": "2"}, "any_of": [{"labels": {"b": "3"}}, {"cpus": 2}]},
            "any",
            [{"labels": {"a": "1", "b": "3"}}, {"labels": {"a": "1", "b": "2"}, "cpus": "2"}],
        ),
        (
            {"infra": "aws/us-east-1", "any_of": [{"infra": "gcp"}]},
            "any",
            [{"cloud": "gcp"}],
        ),
        (
            {"cloud": "aws", "any_of": [{"region": "us-east-1"}, {"region": "eu-west-1"}]},
            "any",
            [{"cloud": "aws", "region": "us-east-1"}, {"cloud": "aws", "region": "eu-west-1"}],
        ),
        (
            {"gpus": "tpu-v4-8", "any_of": [{}, {"infra": "k8s"}, {"infra": "gcp/us-east5"}]},
            "any",
            [
                {"accelerators": {"tpu-v4-8": 1}, "cloud": "gcp"},
                {"accelerators": {"tpu-v4-8": 1}, "cloud": "kubernetes"},
                {"accelerators": {"tpu-v4-8": 1}, "cloud": "gcp", "region": "us-east5"},
            ],
        ),
        ({"any_of": [], "cpus": 2}, "any", [{"cpus": "2"}]),
        (None, "any", [{}]),
    ],
    ids=str,
)
def test_items_win_over_what_stands_beside_them(resources, preference, expected):
    choice, result = choice_of(resources)
    assert not result.problems
    unset = {"accelerators": None, "use_spot": False, "disk_size": 256}
    assert choice.preference.value == preference
    assert [recorded(one) for one in choice.candidates] == [unset | one for one in expected]


@pytest.mark.parametrize(
    ("resources", "path"),
    [
        ({"any_of": [{}], "ordered": [{}]}, "resources.ordered"),
        ({"any_of": {"infra": "aws"}}, "resources.any_of"),
        ({"any_of": ["aws"]}, "resources.any_of[0]"),
        ({"ordered": [{}, {"any_of": []}]}, "resources.ordered[1].any_of"),
        ({"any_of": [{"bogus": 1}]}, "resources.any_of[0].bogus"),
        ({"any_of": [{"cpus": "x"}]}, "resources.any_of[0].cpus"),
        ({"any_of": [{"gpus": ["A100", "L4"]}]}, "resources.any_of[0].gpus"),
        (
            {"ordered": [{"accelerators": {"A100": 1, "L4": 1}}]},
            "resources.ordered[0].accelerators",
        ),
        ({"ordered": [{}], "gpus": {"A100": 1, "L4": 1}}, "resources.gpus"),
        ({"any_of": [{}], "accelerators": ["A100", "L4"]}, "resources.accelerators"),
        ({"infra": "aws", "any_of": [{"region": "us-east-1"}]}, "resources.infra"),
        ({"infra": "aws", "accelerators": "tpu-v4-8"}, "resources.accelerators"),
        ({"spot_recovery": "x"}, "resources.spot_recovery"),
        ({"_bogus": 1}, "resources._bogus"),
    ],
    ids=str,
)
def test_choices_that_contradict_themselves(resources, path):
    choice, result = choice_of(resources)
    assert (choice, [p.path for p in result.problems]) == (None, [path])


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("disk_size", "1TB", 1024),
        ("disk_size", "256GiB", 256),
        ("ports", [80, "8000-8010"], ["80", "8000-8010"]),
        ("priority", -1000, -1000),
        ("max_hourly_cost", 3, 3.0),
        ("disk_tier", "BEST", "best"),
        ("priority_class", "high", "high"),
    ],
)
def test_other_fields(field, value, read):
    choice, _ = choice_of({field: value})
    assert choice.candidates[0].values[field] == read


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("disk_size", "1.5GB"), ("disk_size", "512MB"), ("disk_size", 0), ("disk_size", True),
        ("disk_size", "256GB+"), ("ports", 0), ("ports", "90-80"), ("ports", 65536),
        ("ports", [True]), ("ports", "http"), ("priority", 1001), ("priority", 1.5),
        ("max_hourly_cost", 0), ("max_hourly_cost", "3"), ("max_hourly_cost", float("inf")),
        ("disk_tier", "fast"), ("network_tier", "slow"), ("labels", {"a": 1}), ("image_id", 7),
        ("image_id", {}), ("volumes", {}), ("accelerator_args", {"bogus": 1}),
        ("autostop", "10s"), ("autostop", 1.5), ("autostop", {"idle": 1}),
        ("autostop", {"enabled": True}), ("autostop", {"wait_for": "ssh"}),
        ("job_recovery", "NEVER"), ("job_recovery", {"max_restarts_on_errors": -1}),
        ("job_recovery", {"recover_on_exit_codes": [256]}),
        ("job_recovery", {"recover_on_exit_codes": True}), ("job_recovery", {"bogus": 1}),
    ],
    ids=str,
)  # fmt: skip
def test_values_that_skypilot_refuses(field, value):
    choice, result = choice_of({field: value})
    assert choice is None
    (problem,) = result.problems
    assert problem.path.startswith(f"resources.{field}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, (True, 0, False)),
        (False, (False, 0, False)),
        (-1, (True, -1, False)),
        ("10", (True, 10, False)),
        ("2H", (True, 120, False)),
        ("1d", (True, 1440, False)),
        ("2w", (True, 20160, False)),
        ({"idle_minutes": "1h", "down": True}, (True, 60, True)),
        ({"hook": None, "wait_for": "JOBS"}, (True, 0, False)),
    ],
    ids=str,
)
def test_the_forms_of_autostop(value, expected):
    stop = choice_of({"autostop": value})[0].candidates[0].values["autostop"]
    assert (stop.enabled, stop.idle_minutes, stop.down) == expected


@pytest.mark.parametrize(("down", "event"), [(False, "stop"), (True, "down")])
def test_the_older_hook_of_autostop_is_one_of_the_hooks(down, event):
    choice, _ = choice_of({"autostop": {"hook": "bye", "down": down, "hook_timeout": 5}})
    assert recorded(choice.candidates[0])["hooks"] == [
        {"run": "bye", "events": [event], "timeout": 5}
    ]


def test_candidates_become_alternatives_of_the_job():
    job, warnings = job_of(
        {
            "memory": "64+",
            "max_hourly_cost": 30,
            "ordered": [{"gpus": "H100:8"}, {"gpus": "A100:8", "infra": "k8s/lab"}],
        }
    )
    first, second = (job.resources, *job.alternatives)
    assert job.preference.value == "ordered"
    assert (first.accelerators, first.memory, first.max_price) == ("H100:8", "64+", 30)
    assert (second.accelerators, second.cloud, second.context) == ("A100:8", "existing", "lab")
    assert warnings == []


def test_what_cannot_be_built_is_left_out_while_others_remain():
    job, warnings = job_of({"any_of": [{"infra": "lambda"}, {"infra": "aws"}, {"gpus": "tpu-v4"}]})
    assert (job.resources.cloud, job.alternatives) == ("aws", [])
    assert [(w.path, isinstance(w, NotHonoured)) for w in warnings] == [
        ("resources.any_of[0].infra", False), ("resources.any_of[2].gpus", False),
    ]  # fmt: skip


def test_what_is_said_of_a_candidate_is_said_once():
    items = [{"infra": "aws"}, {"infra": "lambda"}]
    _, warnings = job_of({"accelerators": {"A100": 1, "L4": 1}, "any_of": items})
    assert [w.path for w in warnings] == ["resources.any_of[1].infra"]


def test_what_a_job_has_once_must_be_the_same_in_all_candidates():
    items = [{"image_id": "docker:a"}, {"image_id": "docker:b"}]
    job, warnings = job_of({"any_of": items})
    assert job.image == "a"
    assert [w.path for w in warnings if isinstance(w, NotHonoured)] == [
        "resources.any_of[1].image_id"
    ]


def test_a_problem_of_an_alternative_is_told_where_it_stands():
    items = [{"infra": "aws"}, {"infra": "k8s/lab", "use_spot": True}, {"labels": {"a b": "c"}}]
    result = import_task({"run": "x", "resources": {"any_of": items}}, "task")
    assert [p.path for p in result.problems] == [
        "resources.any_of[1].use_spot", "resources.any_of[2].labels.a b",
    ]  # fmt: skip


def test_restarts_queue_and_priority_have_fields_of_a_job():
    task = {
        "run": "x",
        "resources": {"job_recovery": {"max_restarts_on_errors": 3}, "priority_class": "high"},
        "config": {"kubernetes": {"kueue": {"local_queue_name": "team"}}},
    }
    result = import_task(task, "task")
    assert (result.problems, result.warnings) == ([], [])
    assert (result.job.recovery.max_restarts_on_errors, result.job.queue) == (3, "team")
    assert result.job.priority == "high"
