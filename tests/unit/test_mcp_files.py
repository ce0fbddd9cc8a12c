"""Payloads by path: only what lies in the project folder, and never through a link."""

import os
import threading

import pytest

from certune.core import InvalidInput
from certune.mcp.files import read_payload


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.json").write_bytes(b"inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"outside")
    return folder


def test_files_inside_are_read_by_relative_and_absolute_path(project):
    assert read_payload(project, "sub/a.json", 100) == b"inside"
    assert read_payload(project, "./sub/./a.json", 100) == b"inside"
    assert read_payload(project, str(project / "sub/a.json"), 100) == b"inside"


def test_the_project_itself_may_be_reached_by_a_link(project, tmp_path):
    (tmp_path / "link").symlink_to(project)
    assert read_payload(tmp_path / "link", "sub/a.json", 100) == b"inside"
    assert read_payload(tmp_path / "link", str(project / "sub/a.json"), 100) == b"inside"


def test_accepted_files_may_be_read_back(project):
    folder = project / ".certune" / "accepted" / "s" / "0001"
    folder.mkdir(parents=True)
    (folder / "x.json").write_bytes(b"accepted")
    assert read_payload(project, ".certune/accepted/s/0001/x.json", 100) == b"accepted"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/",
        "../outside/secret",
        "sub/../../outside/secret",
        "sub/../sub/a.json",
        "/etc/passwd",
        "/proc/self/environ",
        "{outside}/secret",
        "{project}/../outside/secret",
        "missing.json",
        "sub",
        "sub/a.json/b",
        "a\0b",
        "\ud800",
        "a/" * 40 + "b",
        "x" * 5000,
        "~/.ssh/id_ed25519",
        ".env",
        "sub/.hidden",
        ".certune/ledger.sqlite3",
        ".certune/accepted/../ledger.sqlite3",
        "link",
        "inner",
        "folder/secret",
        "chain/secret",
    ],
)
def test_anything_else_is_refused(project, tmp_path, path):
    (project / ".env").write_bytes(b"KEY=1")
    (project / "sub" / ".hidden").write_bytes(b"x")
    (project / ".certune" / "accepted").mkdir(parents=True)
    (project / ".certune" / "ledger.sqlite3").write_bytes(b"x")
    (project / "link").symlink_to(tmp_path / "outside" / "secret")
    (project / "inner").symlink_to(project / "sub" / "a.json")
    (project / "folder").symlink_to(tmp_path / "outside")
    (project / "chain").symlink_to("folder")
    path = path.format(outside=tmp_path / "outside", project=project)
    with pytest.raises(InvalidInput) as caught:
        read_payload(project, path, 100)
    str(caught.value).encode()  # can be said on any wire


def test_large_files_are_refused(project):
    (project / "large").write_bytes(b"x" * 101)
    with pytest.raises(InvalidInput, match="larger than 100 bytes"):
        read_payload(project, "large", 100)
    (project / "sparse").touch()
    os.truncate(project / "sparse", 2**40)
    with pytest.raises(InvalidInput, match="larger than 100 bytes"):
        read_payload(project, "sparse", 100)


def test_a_named_pipe_does_not_block(project):
    os.mkfifo(project / "pipe")
    with pytest.raises(InvalidInput, match="no regular file"):
        read_payload(project, "pipe", 100)


def test_a_link_swapped_in_meanwhile_is_never_followed(project, tmp_path):
    """The file is swapped between itself and a link to a secret while it is read."""
    (project / "real").write_bytes(b"inside")
    done = threading.Event()

    def swap():
        while not done.is_set():
            os.symlink(tmp_path / "outside" / "secret", project / "next")
            os.replace(project / "next", project / "swapped")
            os.link(project / "real", project / "next")
            os.replace(project / "next", project / "swapped")
            os.unlink(project / "next") if (project / "next").exists() else None

    thread = threading.Thread(target=swap, daemon=True)
    thread.start()
    seen = set()
    try:
        for _ in range(3000):
            try:
                seen.add(read_payload(project, "swapped", 100))
            except InvalidInput:
                seen.add(None)
    finally:
        done.set()
        thread.join()
    assert b"outside" not in seen
    assert b"inside" in seen
