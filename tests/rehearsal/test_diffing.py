import pytest

from colony.rehearsal.diffing import Difference, differences, must_replace


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({"a": 1}, {"a": 1, "__defaults": []}, []),
        ({"a": 1}, {"a": 2}, [Difference("a", "update")]),
        ({}, {"a": 2}, [Difference("a", "add")]),
        ({"a": 1}, {}, [Difference("a", "delete")]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, [Difference("a.b[1]", "update")]),
        ({"a": [1]}, {"a": [1, 2]}, [Difference("a[1]", "add")]),
        ({"a": {"b": 1}}, {"a": "text"}, [Difference("a", "update")]),
    ],
)
def test_differences_are_named_by_path(old, new, found):
    assert differences(old, new, []) == found


@pytest.mark.parametrize(
    ("path", "rules", "replaces"),
    [
        ("subnetIds[0]", ["subnetIds"], True),
        ("scaling.desired", ["scaling.desired"], True),
        ("scaling.minimum", ["scaling.desired"], False),
        ("scaling", ["scaling.desired"], True),
        ("name", ["namePrefix"], False),
        ("anything.at.all", ["*"], True),
        ("tags.a", ["*"], False),
    ],
)
def test_rules_say_what_replaces(path, rules, replaces):
    assert must_replace(path, rules) is replaces
