"""The allow-lists, run by a small machine for classic BPF on both architectures."""

import os
import re
import struct
from pathlib import Path

import pytest

from certune.sandbox.isolation import allowed, bpf
from certune.sandbox.isolation.numbers import AUDIT_ARCH, TABLE, number

ALLOW, KILL = "allow", "kill"
PID = 4321
MACHINES = ("x86_64", "aarch64")
_HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}


def run(program, machine, call, *arguments, arch=None):
    """What a filter answers: "allow", "kill" or an errno."""
    words = [one & 0xFFFF_FFFF_FFFF_FFFF for one in (*arguments, 0, 0, 0, 0, 0, 0)][:6]
    data = struct.pack("=iIQ6Q", call, arch or AUDIT_ARCH[machine], 0, *words)
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, k = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, k)
        elif code == 0x54:
            accumulator &= k
        elif code == 0x15:
            at += if_true if accumulator == k else if_false
        elif code == 0x35:
            at += if_true if accumulator >= k else if_false
        elif code == 0x06:
            if k == 0x7FFF_0000:
                return ALLOW
            return KILL if k == 0x8000_0000 else k & 0xFFFF
        else:
            raise AssertionError(f"no such instruction: {code:#x}")


@pytest.fixture(scope="module", params=MACHINES)
def machine(request):
    return request.param


def compiled(machine, rules):
    return bpf.compile_filter(rules, allowed.REFUSED, machine)


def answer(machine, rules, name, *arguments):
    call = number(name, machine)
    return None if call is None else run(compiled(machine, rules), machine, call, *arguments)


def test_other_architectures_are_killed_and_x32_does_not_exist(machine):
    program = compiled(machine, allowed.compute(PID))
    read = number("read", machine)
    assert run(program, machine, read) == ALLOW
    for other in (0x4000_0003, AUDIT_ARCH["aarch64" if machine == "x86_64" else "x86_64"]):
        assert run(program, machine, read, arch=other) == KILL
    assert run(compiled("x86_64", allowed.compute(PID)), "x86_64", 0x4000_0000) == bpf.ENOSYS


@pytest.mark.parametrize(
    "name",
    [
        *("socket", "socketpair", "ptrace", "mount", "unshare", "setns", "bpf", "perf_event_open"),
        *("keyctl", "add_key", "process_vm_readv", "memfd_create", "sched_setaffinity", "shmget"),
        *("msgget", "semget", "mq_open", "chmod", "fchmod", "unlink", "unlinkat", "rename"),
        *("execve", "execveat", "setpgid", "setsid", "chroot", "pidfd_send_signal", "tkill"),
        *("ftruncate", "fallocate", "seccomp", "landlock_restrict_self", "capset", "creat"),
        *("setresuid", "flock", "mlock", "pipe2", "epoll_create1", "eventfd2", "chdir"),
    ],
)
def test_what_a_kernel_does_not_need_is_refused(machine, name):
    assert answer(machine, allowed.compute(PID), name) in (None, bpf.EPERM)


def test_newer_calls_do_not_exist(machine):
    program = compiled(machine, allowed.compute(PID))
    for name in ("io_uring_setup", "clone3", "openat2", "futex_waitv", "map_shadow_stack"):
        assert run(program, machine, number(name, machine)) == bpf.ENOSYS
    assert run(program, machine, 470) == bpf.ENOSYS
    # A hole in the table is an old call that nobody needs.
    assert run(program, machine, 294 if machine == "x86_64" else 26) == bpf.EPERM


def test_files_are_opened_for_reading_only(machine):
    rules = allowed.compute(PID)
    reading = (os.O_RDONLY, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY, os.O_PATH)
    writing = (
        *(os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_CREAT, os.O_RDONLY | os.O_TRUNC),
        *(os.O_TMPFILE | os.O_RDWR, os.O_APPEND, 3),
    )
    for name, place in (("openat", 2), ("open", 1)):
        for flags in reading:
            assert answer(machine, rules, name, *[0] * place, flags) in (None, ALLOW)
            # The kernel reads 32 bits of the flags, and so must the filter.
            padded = flags | 0xDEAD << 32
            assert answer(machine, rules, name, *[0] * place, padded) in (None, ALLOW)
        for flags in writing:
            assert answer(machine, rules, name, *[0] * place, flags) in (None, bpf.EPERM)
            assert answer(machine, rules, name, *[0] * place, flags | 1 << 40) in (None, bpf.EPERM)


def test_signals_and_limits_reach_the_worker_alone(machine):
    rules = allowed.compute(PID)
    for name in ("kill", "tgkill"):
        assert answer(machine, rules, name, PID, 9) == ALLOW
        for other in (0, -1, -PID, 1, PID + 1):
            assert answer(machine, rules, name, other, 9) == bpf.EPERM
    for name in ("prlimit64", "sched_getaffinity"):
        assert answer(machine, rules, name, 0) == answer(machine, rules, name, PID) == ALLOW
        assert answer(machine, rules, name, PID - 1) == bpf.EPERM


@pytest.mark.parametrize("name", ["clock_gettime", "clock_getres", "clock_nanosleep"])
def test_clocks_are_everybodys_or_the_workers_own(machine, name):
    rules = allowed.compute(PID)
    for clock in (*range(12), 0xFFFF_FFFF_0000_0002):  # the kernel looks at 32 bits
        assert answer(machine, rules, name, clock) == ALLOW
    for of in (1, PID + 1):
        process, thread, device = ~of << 3 | 2, ~of << 3 | 6, ~of << 3 | 3
        for clock in (process, thread, device, process & 0xFFFF_FFFF):
            assert answer(machine, rules, name, clock) == 1
            assert answer(machine, allowed.toolchain(PID), name, clock) == 1


def test_descriptors_keep_their_owner_and_the_parent_death_signal_stays(machine):
    rules = allowed.compute(PID)
    assert answer(machine, rules, "fcntl", 0, 3) == ALLOW
    for setting in (8, 10, 1024, 1026, 1031, 1033):  # owner, signal, lease, notify, size, seals
        assert answer(machine, rules, "fcntl", 0, setting) == bpf.EPERM
    assert answer(machine, rules, "prctl", 15) == ALLOW
    for option in (1, 4, 22, 24, 28, 36, 47):
        assert answer(machine, rules, "prctl", option) == bpf.EPERM
    assert answer(machine, rules, "ioctl", 0, 0x5401) == ALLOW
    assert answer(machine, rules, "ioctl", 0, 0x5412) == bpf.EPERM  # TIOCSTI


THREAD = 0x003D_0F00  # glibc's flags for a thread


def test_threads_only_when_asked_for_and_never_a_process_or_a_namespace(machine):
    alone, threads = allowed.compute(PID), allowed.compute(PID, threads=True)
    assert answer(machine, alone, "clone", THREAD) == bpf.EAGAIN
    assert answer(machine, threads, "clone", THREAD) == ALLOW
    for flags in (17, 0x4100 | 17, THREAD | 0x1000_0000, THREAD | 0x8000, THREAD & ~0x1_0000):
        assert answer(machine, threads, "clone", flags) == bpf.EAGAIN
    for name in ("fork", "vfork"):
        assert answer(machine, threads, name) in (None, bpf.EAGAIN)


def test_a_toolchain_starts_processes_but_no_namespaces_sockets_or_kills(machine):
    rules = allowed.toolchain(PID)
    for flags in (17, 0x4100 | 17):
        assert answer(machine, rules, "clone", flags) == ALLOW
    for flag in (0x2_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x8000):
        assert answer(machine, rules, "clone", flag | 17) == bpf.EAGAIN
    assert answer(machine, rules, "execve") == ALLOW
    for name in ("socket", "socketpair", "ptrace", "memfd_create", "kill", "setsid", "execveat"):
        assert answer(machine, rules, name, 1) == bpf.EPERM
    assert answer(machine, rules, "prlimit64", PID) == bpf.EPERM
    for locking in (5, 6, 7, 37):
        assert answer(machine, rules, "fcntl", 0, locking) == bpf.EPERM
    # Landlock covers neither, on any of the user's files; without version 3 not even truncate.
    assert answer(machine, rules, "truncate") == bpf.EPERM
    pretended = bpf.compile_filter(rules, allowed.REFUSED_TO_TOOLS, machine)
    for name in ("chmod", "fchmod", "fchmodat", "utimensat", "flock"):
        if (call := number(name, machine)) is not None:
            assert run(pretended, machine, call) == 0
    assert run(pretended, machine, number("clone", machine), 0x1000_0011) == bpf.EAGAIN


def test_devices_may_be_told_what_to_do_and_nothing_is_created(machine):
    rules = allowed.compute(PID, devices=True)
    assert answer(machine, rules, "openat", 0, 0, os.O_RDWR) == ALLOW
    assert answer(machine, rules, "openat", 0, 0, os.O_RDWR | os.O_CREAT) == bpf.EPERM
    assert answer(machine, rules, "ioctl", 0, 0xC020_462A) == ALLOW
    assert answer(machine, rules, "clone", THREAD) == ALLOW
    assert answer(machine, rules, "clone", 17) == bpf.EAGAIN


def test_programs_fit_the_kernel(machine):
    for rules in (allowed.compute(PID, threads=True, devices=True), allowed.toolchain(PID)):
        program = compiled(machine, rules)
        length = len(program) // 8
        assert length < 4096
        for at in range(length):
            code, if_true, if_false, _ = struct.unpack_from("=HBBI", program, 8 * at)
            if code in (0x15, 0x35):
                assert at + 1 + max(if_true, if_false) < length


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_are_those_of_the_headers(machine):
    header = next((Path(one) for one in _HEADERS[machine] if Path(one).exists()), None)
    if header is None:
        pytest.skip("no kernel headers are installed")
    pattern = r"#define __NR(?:3264)?_(\w+)\s+(\d+)"
    told = {name: int(one) for name, one in re.findall(pattern, header.read_text())}
    if machine == "aarch64":
        told["newfstatat"] = told.pop("fstatat")
    checked = 0
    for name in TABLE:
        ours = number(name, machine)
        if name in told:
            assert ours == told[name], name
            checked += 1
        else:
            # Not in these headers: an older kernel's, or the architecture has none.
            assert ours is None or ours > 450, name
    assert checked > 140
