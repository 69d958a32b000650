"""What a crash would leave, copied while an engine writes."""

from colony.rehearsal.captures import Captures, Cell


def test_what_is_gone_when_it_is_to_be_copied_was_only_passing(tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "demo.json").write_text("{}")
    (state / "demo.json.bak.1.tmp").symlink_to(tmp_path / "renamed")  # listed, and not there
    captures = Captures(tmp_path)
    captures.name("up")
    assert captures.take("create", "urn::a", "before") is False
    [(cell, folder)] = captures
    assert cell == Cell("up", "create", "urn::a", "before")
    assert [path.name for path in (folder / "state").iterdir()] == ["demo.json"]
