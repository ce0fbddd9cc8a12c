"""Removing what a hostile tool left in its folder, and knowing how large it is."""

import fcntl
import os
import tempfile

import pytest

from certune.sandbox.keeper import folders


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_deep_tree_that_forbids_itself_is_removed_and_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(outside)
    (top / "loop").symlink_to("loop")
    os.mkfifo(top / "fifo")
    # Deeper than a path can be long.
    start = os.getcwd()
    try:
        os.chdir(top)
        for _ in range(50):
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
        os.symlink(outside, "link")
    finally:
        os.chdir(start)
    (top / "closed").mkdir()
    (top / "closed" / "file").write_text("x")
    (top / "closed" / "inner").mkdir(mode=0o000)
    (top / "closed").chmod(0o000)
    folders.remove(str(top))
    assert not top.exists()
    assert (outside / "kept").read_text() == "kept"


def test_sizes_count_blocks_and_stop_early(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_bytes(b"x" * 100_000)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**9)
    (tmp_path / "link").symlink_to("/")
    assert 100_000 <= folders.size(str(tmp_path), 10**9) < 1_000_000
    assert folders.size(str(tmp_path), 1000) > 1000
    monkeypatch.setattr(folders, "_MOST_ENTRIES", 50)
    for number in range(60):
        (tmp_path / "a" / str(number)).touch()
    assert folders.size(str(tmp_path), 10**9) > 10**9


def test_folders_of_dead_keepers_are_swept_and_of_living_ones_are_not(temporary):
    living = folders.Folders()
    inside = living.make(None)
    dead = temporary / "certune-toolchain-dead"
    dead.mkdir()
    (dead / "left").write_text("left")
    held = temporary / "certune-toolchain-held"
    held.mkdir()
    fd = os.open(held, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    (temporary / "certune-toolchain-link").symlink_to(temporary)
    other = folders.Folders()
    assert not dead.exists()
    assert held.exists()
    assert os.path.isdir(inside)
    os.close(fd)
    other.close()
    living.close()
    assert not os.path.exists(inside)
    assert sorted(one.name for one in temporary.iterdir()) == [
        "certune-toolchain-held",
        "certune-toolchain-link",
    ]
