"""What is said where a level cannot be had: no Linux, old kernels, filters, closed namespaces."""

import errno
import os
import subprocess
import sys

import pytest

from certune.core.errors import Unavailable
from certune.core.run import Job
from certune.sandbox.isolation import probe
from certune.sandbox.isolation.probe import Report, Standing, explain
from certune.sandbox.keeper import Keeper
from certune.sandbox.keeper import client as client_module
from certune.sandbox.model import LAYERS, Isolation
from certune.sandbox.runner import SandboxRunner, enough

# Code put in front of the keeper's own, so that a system call is missing there and in its workers.
_WITHOUT = """
import certune.sandbox.isolation.syscalls as syscalls
true = syscalls.call
def call(name, *rest):
    if name == {name!r}:
        raise OSError({number}, name + ": " + __import__("os").strerror({number}))
    return true(name, *rest)
syscalls.call = call
"""


@pytest.fixture
def fresh(monkeypatch):
    probe.available.cache_clear()
    yield monkeypatch
    probe.available.cache_clear()


def without(monkeypatch, name, number):
    true = client_module._PROCESS
    start = "from certune.sandbox.keeper.process"
    assert start in true
    text = true.replace(start, _WITHOUT.format(name=name, number=number) + start)
    monkeypatch.setattr(client_module, "_PROCESS", text)


def test_this_machine_can_do_what_it_says():
    report = probe.available()
    assert [one.level for one in report.standings] == [
        Isolation.PROCESS,
        Isolation.CONFINED,
        Isolation.CONTAINED,
    ]
    for one in report.standings:
        assert one.available or (one.reason and one.remedy)
    assert report.standing(report.best).available


PARTS = """
from certune.sandbox.isolation import landlock, seccomp, syscalls
landlock.version()
seccomp.check()
print("walls", flush=True)
syscalls.call("unshare", syscalls.CLONE_NEWUSER | syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID)
syscalls.call("mount", b"none", b"/", None, 0x4000 | 0x40000, None)
print("namespaces")
"""


def test_a_level_is_had_wherever_the_kernel_has_its_parts():
    """A wall that we broke must not pass for one that this machine lacks."""
    told = subprocess.run([sys.executable, "-c", PARTS], capture_output=True, text=True).stdout
    report = probe.available()
    for level, word in ((Isolation.CONFINED, "walls"), (Isolation.CONTAINED, "namespaces")):
        assert report.standing(level).available == (word in told), report


@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("landlock_create_ruleset", errno.ENOSYS, "Landlock is missing"),
        ("landlock_create_ruleset", errno.EOPNOTSUPP, "Landlock is missing"),
        ("seccomp", errno.ENOSYS, "filters on system calls are missing"),
    ],
)
def test_an_old_kernel_refuses_code_with_reason_and_remedy(fresh, name, number, words):
    without(fresh, name, number)
    report = probe.available()
    assert report.best is Isolation.PROCESS
    standing = report.standing(Isolation.CONFINED)
    assert words in standing.reason
    assert "declare the isolation" in standing.remedy
    with pytest.raises(Unavailable, match=words):
        Keeper()
    with pytest.raises(Unavailable, match=words):
        Keeper(Isolation.CONFINED)
    with SandboxRunner() as runner, pytest.raises(Unavailable, match=r"refused.*declare"):
        runner.run(Job("python", b"print(1)"))


def test_a_declared_level_stands_on_the_best_there_is(fresh):
    without(fresh, "landlock_create_ruleset", errno.ENOSYS)
    with SandboxRunner(Isolation.DECLARED) as runner:
        outcome = runner.run(Job("python", b"print(1)"))
    assert (outcome.ending, outcome.output) == ("finished", b"1\n")
    assert outcome.isolation == "declared"
    with Keeper(Isolation.DECLARED) as keeper:
        assert keeper.layers == LAYERS[Isolation.PROCESS]


@pytest.mark.parametrize("name", ["unshare", "mount"])
def test_closed_namespaces_leave_the_level_below(fresh, name):
    if not probe.available().standing(Isolation.CONFINED).available:
        pytest.skip("not even 'confined' can be had here")
    probe.available.cache_clear()
    without(fresh, name, errno.EPERM)
    report = probe.available()
    assert report.best is Isolation.CONFINED
    assert "apparmor" in report.standing(Isolation.CONTAINED).remedy
    with pytest.raises(Unavailable, match="'contained' cannot be had"):
        Keeper(Isolation.CONTAINED)
    with (
        SandboxRunner(require=Isolation.CONTAINED) as runner,
        pytest.raises(Unavailable, match=r"'contained' is required: .*namespaces"),
    ):
        runner.run(Job("python", b"print(1)"))


@pytest.mark.parametrize("how", ["platform", "pidfd"])
def test_elsewhere_than_on_linux_code_is_refused(fresh, how):
    if how == "platform":
        fresh.setattr(sys, "platform", "darwin")
    else:
        fresh.delattr(os, "pidfd_open")
    report = probe.available()
    assert report.best is Isolation.NONE
    assert all("Linux" in one.remedy for one in report.standings)
    for level in (None, Isolation.PROCESS, Isolation.CONTAINED, Isolation.DECLARED):
        with pytest.raises(Unavailable, match="Linux container or virtual machine"):
            Keeper(level)


def test_a_requirement_is_met_or_explained(fresh):
    fresh.setattr(
        "certune.sandbox.runner.available",
        lambda: Report(
            (
                Standing(Isolation.PROCESS, True),
                Standing(Isolation.CONFINED, True),
                Standing(Isolation.CONTAINED, False, "why", "what to do"),
            )
        ),
    )
    enough(None, Isolation.CONFINED)
    enough(Isolation.DECLARED, Isolation.CONTAINED)
    with pytest.raises(Unavailable, match="'contained' is required: why; what to do"):
        enough(None, Isolation.CONTAINED)
    with pytest.raises(Unavailable, match="'declared' is required, and 'confined' is"):
        enough(None, Isolation.DECLARED)
    with pytest.raises(Unavailable, match="'contained' is required, and 'confined' is"):
        enough(Isolation.CONFINED, Isolation.CONTAINED)


def test_explanations_say_what_the_kernel_said():
    assert "(unshare: Operation not permitted)" in explain("unshare: Operation not permitted")
    assert "uid_map: Operation" in explain("uid_map: Operation not permitted")
    assert explain("something else") == "something else"
