"""The machine's description, from trees of files as several machines have them."""

import os
from pathlib import Path

import pytest

from certune.sandbox.machine import facts, measuring
from certune.sandbox.machine.counters import Counters, counters, pressure
from certune.sandbox.machine.description import cpu_list

CPU = "sys/devices/system/cpu"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def desktop(root: Path) -> Path:
    """Two cores of two threads each, intel_pstate with turbo, powersave."""
    files = {
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: Some  CPU @ 3.0GHz\nflags\t: fpu avx2 fma\n",
        "proc/meminfo": "MemTotal:        8000000 kB\n",
        "proc/sys/kernel/randomize_va_space": "2\n",
        "proc/sys/kernel/osrelease": "6.1.0-test\n",
        f"{CPU}/online": "0-3\n",
        f"{CPU}/intel_pstate/no_turbo": "0\n",
        f"{CPU}/cpu0/cpufreq/scaling_governor": "powersave\n",
        f"{CPU}/cpu0/cpufreq/scaling_driver": "intel_pstate\n",
        f"{CPU}/cpu0/cpufreq/cpuinfo_min_freq": "800000\n",
        f"{CPU}/cpu0/cpufreq/cpuinfo_max_freq": "4200000\n",
        f"{CPU}/cpu0/cache/index3/level": "3\n",
        f"{CPU}/cpu0/cache/index3/size": "8192K\n",
        f"{CPU}/cpu0/cache/index0/level": "1\n",
        f"{CPU}/cpu0/cache/index0/size": "32K\n",
        "sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n",
    }
    for cpu, pair in ((0, "0,2"), (1, "1,3"), (2, "0,2"), (3, "1,3")):
        files[f"{CPU}/cpu{cpu}/topology/thread_siblings_list"] = pair
        files[f"{CPU}/cpu{cpu}/topology/package_cpus_list"] = "0-3"
    return tree(root, files)


def test_a_desktop_with_hardware_threads(tmp_path):
    found = facts(desktop(tmp_path), cpus=range(4))
    assert found.cpu == "Some CPU @ 3.0GHz"
    assert found.features == {"fpu", "avx2", "fma"}
    assert [core.cpus for core in found.cores] == [(0, 2), (1, 3)]
    assert {core.domain for core in found.cores} == {0}
    assert found.smt
    assert (found.governor, found.driver, found.turbo) == ("powersave", "intel_pstate", True)
    assert found.megahertz == (800.0, 4200.0)
    assert found.clock == "hpet"
    assert found.aslr == 2
    assert found.kernel == "6.1.0-test"
    assert found.last_cache_bytes == 8 * 2**20
    assert found.memory_bytes == 8_000_000 * 1024
    assert found.container is None
    assert found.virtual is None
    assert found.quota is None


def test_siblings_that_are_not_ours_are_told(tmp_path):
    found = facts(desktop(tmp_path), cpus=(0, 1))
    assert [(core.cpus, core.others) for core in found.cores] == [((0,), (2,)), ((1,), (3,))]
    assert found.smt


def test_two_packages_are_two_domains(tmp_path):
    root = tree(
        tmp_path,
        {
            f"{CPU}/cpu{cpu}/topology/package_cpus_list": "0-1" if cpu < 2 else "2-3"
            for cpu in range(4)
        },
    )
    assert [core.domain for core in facts(root, cpus=range(4)).cores] == [0, 0, 2, 2]
    # A session that may use the second CPU alone names its package as all others do.
    assert [core.domain for core in facts(root, cpus=(1, 3)).cores] == [0, 2]


def test_a_machine_that_tells_nothing(tmp_path):
    found = facts(tmp_path, cpus=(0, 1))
    assert found.cpu == "unknown"
    assert len(found.cores) == 2
    assert {core.domain for core in found.cores} == {0}  # taken to disturb each other
    assert found.kernel == os.uname().release
    nothing = (found.governor, found.turbo, found.megahertz, found.clock, found.quota, found.aslr)
    assert set(nothing) == {None}


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "50000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "200000 100000\n",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/x\n",
                "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
            },
            3.0,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
        ({"proc/self/cgroup": "0::/../x\n", "sys/fs/cgroup/cpu.max": "a b\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100 0\n"}, None),
    ],
)
def test_quotas_of_both_kinds_of_control_groups(tmp_path, files, quota):
    assert facts(tree(tmp_path, files), cpus=(0,)).quota == quota


@pytest.mark.parametrize(
    ("files", "container"),
    [
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": ""}, "podman"),
        ({"proc/1/cgroup": "0::/kubepods.slice/pod1\n"}, "kubepods"),
        ({"proc/1/cgroup": "0::/init.scope\n"}, None),
    ],
)
def test_containers(tmp_path, files, container):
    assert facts(tree(tmp_path, files), cpus=(0,)).container == container


def test_a_virtual_machine_is_told_by_its_flag(tmp_path):
    root = tree(
        tmp_path,
        {"proc/cpuinfo": "flags : fpu hypervisor\n", "sys/class/dmi/id/sys_vendor": "QEMU\n"},
    )
    assert facts(root, cpus=(0,)).virtual == "QEMU"


def test_lists_of_cpus():
    assert cpu_list("0-3,8") == (0, 1, 2, 3, 8)
    assert cpu_list("") == ()
    assert cpu_list("x") == ()
    assert cpu_list("0-") == ()


STAT = "cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 {} 0 0 0 0 0 0 {} 0 0\ncpu1 {} 0 0 0 0 0 0 0 0 0\n"


def test_steal_and_other_work_are_shares_of_the_cpus_time(tmp_path):
    ticks = os.sysconf("SC_CLK_TCK")
    root = tree(
        tmp_path,
        {
            "proc/stat": STAT.format(10 * ticks, 2 * ticks, 99 * ticks),
            "proc/pressure/cpu": "some avg10=0.00 avg60=0 avg300=0 total=2500000\n",
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.stat": "nr_throttled 3\nthrottled_usec 1500000\n",
            f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "4\n",
        },
    )
    found = counters((0,), root)
    assert (found.busy, found.stolen) == (10.0, 2.0)
    assert found.waiting == 2.5
    assert found.throttled == 1.5
    assert found.thermal == 4

    before = Counters(0.0, 2, 10.0, 1.0, 5.0, 0.0, 1.0, 4, 10)
    after = Counters(2.0, 2, 13.0, 1.2, 6.0, 0.25, 1.5, 6, 15)
    seen = pressure(before, after)
    assert seen.others == pytest.approx((3.0 - 1.0) / 4.0)
    assert seen.steal == pytest.approx(0.05)
    assert seen.waiting == pytest.approx(0.25)
    assert (seen.throttled, seen.thermal, seen.switches) == (0.25, 2, 5)


def test_counters_of_this_machine_grow():
    cpus = sorted(os.sched_getaffinity(0))
    before = counters(cpus)
    sum(range(200_000))
    after = counters(cpus)
    seen = pressure(before, after)
    assert after.wall > before.wall
    assert after.own > before.own
    assert 0 <= seen.others <= 1
    assert 0 <= seen.steal <= 1


def test_the_measuring_part_of_the_fingerprint(tmp_path):
    found = measuring(facts(desktop(tmp_path), cpus=range(4)))
    assert found.features == ("avx2", "fma")
    assert (found.clock, found.turbo, found.smt, found.cores) == ("hpet", True, True, 2)
    assert found.blas
    assert "unknown" not in found.blas
