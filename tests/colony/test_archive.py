import hashlib
import io
import os
import random
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colony.archive import SECRET_LIMIT, pack, unpack
from jobs.errors import InputError


def tree(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_files_give_the_same_bytes(tmp_path):
    files = {"a.py": "a", "sub/b.py": "b", "sub/.hidden": "h"}
    first = tree(tmp_path / "one", files)
    second = tree(tmp_path / "two", dict(reversed(files.items())))
    os.utime(second / "a.py", (1, 1))
    (second / "sub" / "b.py").chmod(0o640)
    assert pack(first) == pack(second)


def test_the_hash_is_that_of_the_bytes_and_follows_the_content(tmp_path):
    folder = tree(tmp_path, {"a.py": "a"})
    before = pack(folder)
    assert before.sha256 == hashlib.sha256(before.data).hexdigest()
    (folder / "a.py").write_text("b")
    assert pack(folder).sha256 != before.sha256


def test_an_executable_stays_executable(tmp_path):
    folder = tree(tmp_path / "in", {"run.sh": "true", "data": "x"})
    (folder / "run.sh").chmod(0o700)
    unpack(pack(folder).data, tmp_path / "out")
    assert os.access(tmp_path / "out" / "run.sh", os.X_OK)
    assert not (tmp_path / "out" / "data").stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("ignore", "kept"),
    [
        (None, {"a.py", "a.pt", "data/big.pt", "data/keep.txt", "deep/data/x"}),
        ("*.pt", {".skyignore", "a.py", "data/keep.txt", "deep/data/x"}),
        ("/data/", {".skyignore", "a.py", "a.pt", "deep/data/x"}),
        ("data", {".skyignore", "a.py", "a.pt"}),
        ("# data\n\n*.pt\n!a.pt", {".skyignore", "a.py", "a.pt", "data/keep.txt", "deep/data/x"}),
    ],
)
def test_skyignore_says_what_stays_out(tmp_path, ignore, kept):
    every = ("a.py", "a.pt", "data/big.pt", "data/keep.txt", "deep/data/x", ".git/HEAD")
    folder = tree(tmp_path / "in", dict.fromkeys(every, "x"))
    if ignore is not None:
        (folder / ".skyignore").write_text(ignore)
    unpack(pack(folder).data, tmp_path / "out")
    assert set(contents(tmp_path / "out")) == kept


def test_links_inside_the_folder_travel_as_links(tmp_path):
    folder = tree(tmp_path / "in", {"data/a.txt": "a"})
    (folder / "link").symlink_to("data/a.txt")
    (folder / "folder").symlink_to("data")
    unpack(pack(folder).data, tmp_path / "out")
    assert os.readlink(tmp_path / "out" / "link") == "data/a.txt"
    assert (tmp_path / "out" / "folder" / "a.txt").read_text() == "a"


@pytest.mark.parametrize("target", ["/etc/hostname", "../secret"])
def test_links_that_leave_the_folder_are_refused_by_name(tmp_path, target):
    folder = tree(tmp_path / "in", {"a": "a"})
    (folder / "link").symlink_to(target)
    with pytest.raises(InputError, match=rf"link.*{target}"):
        pack(folder)


def test_a_pipe_is_refused_rather_than_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe"):
        pack(tmp_path)


def test_a_folder_over_the_limit_is_refused_with_its_size(tmp_path):
    (tmp_path / "noise.bin").write_bytes(random.Random(0).randbytes(3 * 2**20))
    with pytest.raises(InputError, match=r"workdir: 3\.0 MiB.*900 KiB.*\.skyignore"):
        pack(tmp_path)
    assert len(pack(tmp_path, limit=None).data) > SECRET_LIMIT


def test_what_compresses_under_the_limit_is_accepted(tmp_path):
    (tmp_path / "zeros.bin").write_bytes(bytes(3 * 2**20))
    assert len(pack(tmp_path).data) < SECRET_LIMIT


@pytest.mark.parametrize("name", ["missing", "file"])
def test_only_a_folder_can_be_packed(tmp_path, name):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is not a folder"):
        pack(tmp_path / name)


def foreign(name):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    return data.getvalue()


def test_an_archive_that_climbs_out_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack(foreign("../evil"), tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_an_absolute_name_lands_inside(tmp_path):
    unpack(foreign(f"{tmp_path}/evil"), tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_damaged_bytes_are_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack(b"not a tar", tmp_path / "out")


@settings(max_examples=25, deadline=None)
@given(
    files=st.dictionaries(
        st.text("abcdé-", min_size=1, max_size=8), st.text(max_size=200), max_size=6
    )
)
def test_unpacking_gives_back_what_was_packed(tmp_path_factory, files):
    root = tmp_path_factory.mktemp("trip")
    (root / "in").mkdir()
    unpack(pack(tree(root / "in", files)).data, root / "out")
    assert contents(root / "out") == contents(root / "in")
