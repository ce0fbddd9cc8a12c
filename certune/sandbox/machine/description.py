"""What the system says of itself: CPUs, frequency, limits, walls around it.

Read from /proc and /sys below `root`, never by running a program. What is not told is None.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_CONTAINERS = ("kubepods", "docker", "libpod", "containerd", "lxc", "machine.slice")


@dataclass(frozen=True)
class Core:
    """A physical core: its logical CPUs that are ours, those that are not, its memory domain.

    Cores of one `domain` share a last-level cache or memory controllers, so that two kernels
    on them slow each other down however far apart their cores are.
    """

    cpus: tuple[int, ...]
    others: tuple[int, ...]
    domain: int


@dataclass(frozen=True)
class Facts:
    """A machine as its system describes it.

    `cpus` are the logical CPUs that this process may use, `cores` the physical cores they belong
    to. `quota` is what the control group allows, in CPUs. `megahertz` is the range of frequencies.
    `turbo`: frequencies above the nominal one are allowed. `aslr` is the kernel's
    randomize_va_space. `last_cache_bytes` is the size of one last-level cache.
    """

    cpu: str
    features: frozenset[str]
    cpus: tuple[int, ...]
    online: int
    cores: tuple[Core, ...]
    governor: str | None
    driver: str | None
    turbo: bool | None
    megahertz: tuple[float, float] | None
    clock: str | None
    quota: float | None
    container: str | None
    virtual: str | None
    aslr: int | None
    kernel: str
    memory_bytes: int | None
    last_cache_bytes: int | None

    @property
    def smt(self) -> bool:
        """Whether some core runs several hardware threads."""
        return any(len(core.cpus) + len(core.others) > 1 for core in self.cores)


class Tree:
    """The files of a machine below a folder, each read within a limit."""

    def __init__(self, root: Path = Path("/")) -> None:
        """The tree below `root`, which is another folder in tests alone."""
        self.root = root

    def text(self, path: str, limit: int = 2**16) -> str:
        """The beginning of a file, without the spaces around it; empty if there is none."""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(limit).decode(errors="replace").strip()
        except (OSError, ValueError):
            return ""

    def number(self, path: str) -> float | None:
        """The number that a file holds."""
        try:
            return float(self.text(path, 64))
        except ValueError:
            return None

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return (self.root / path).exists()


def cpu_list(text: str) -> tuple[int, ...]:
    """CPUs as the kernel lists them: ``0-3,8``. What is no list is empty."""
    found: list[int] = []
    for part in filter(None, text.replace(" ", "").split(",")):
        bounds = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", part)
        if bounds is None:
            return ()
        first = int(bounds[1])
        found += range(first, int(bounds[2] or first) + 1)
    return tuple(found)


def facts(root: Path = Path("/"), cpus: Iterable[int] | None = None) -> Facts:
    """The facts of this machine; `cpus` are those that may be used, else the affinity."""
    tree = Tree(root)
    ours = tuple(sorted(_affinity() if cpus is None else cpus))
    first = ours[0] if ours else 0
    folder = f"sys/devices/system/cpu/cpu{first}/cpufreq"
    info = tree.text("proc/cpuinfo")
    low, high = (tree.number(f"{folder}/cpuinfo_{end}_freq") for end in ("min", "max"))
    memory = re.search(r"^MemTotal:\s*(\d+) kB", tree.text("proc/meminfo"), re.MULTILINE)
    clock = "sys/devices/system/clocksource/clocksource0/current_clocksource"
    aslr = tree.number("proc/sys/kernel/randomize_va_space")
    features = frozenset(_field(info, "flags|Features").split())
    return Facts(
        cpu=_field(info, "model name|cpu model|Model|CPU part") or "unknown",
        features=features,
        cpus=ours,
        online=len(cpu_list(tree.text("sys/devices/system/cpu/online"))) or len(ours),
        cores=_cores(tree, ours),
        governor=tree.text(f"{folder}/scaling_governor") or None,
        driver=tree.text(f"{folder}/scaling_driver") or None,
        turbo=_turbo(tree),
        megahertz=None if low is None or high is None else (low / 1000, high / 1000),
        clock=tree.text(clock) or None,
        quota=_quota(tree),
        container=_container(tree),
        virtual=_virtual(tree, features),
        aslr=None if aslr is None else int(aslr),
        kernel=tree.text("proc/sys/kernel/osrelease") or os.uname().release,
        memory_bytes=int(memory[1]) * 1024 if memory else None,
        last_cache_bytes=_last_cache(tree, first),
    )


def _affinity() -> set[int]:
    # Other systems than Linux have no affinity.
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def _field(info: str, names: str) -> str:
    found = re.search(rf"^(?:{names})\s*:\s*(.+)$", info, re.MULTILINE)
    return " ".join(found[1].split()) if found else ""


def _cores(tree: Tree, ours: tuple[int, ...]) -> tuple[Core, ...]:
    folder = "sys/devices/system/cpu/cpu{}"
    siblings: dict[int, tuple[int, ...]] = {}
    domains: dict[int, int] = {}
    for cpu in ours:
        base = folder.format(cpu)
        siblings[cpu] = cpu_list(tree.text(f"{base}/topology/thread_siblings_list")) or (cpu,)
        package = cpu_list(tree.text(f"{base}/topology/package_cpus_list"))
        package = package or cpu_list(tree.text(f"{base}/topology/core_siblings_list"))
        # One package shares memory controllers. Untold, all are taken to disturb each other.
        # Named by its first CPU, ours or not: other sessions may have other CPUs of it.
        domains[cpu] = min(package or ours)
    seen: set[int] = set()
    cores = []
    for cpu in ours:
        if cpu in seen:
            continue
        group = set(siblings[cpu]) | {cpu}
        seen |= group
        mine = tuple(sorted(group & set(ours)))
        cores.append(Core(mine, tuple(sorted(group - set(ours))), domains[cpu]))
    return tuple(cores)


def _turbo(tree: Tree) -> bool | None:
    off = tree.number("sys/devices/system/cpu/intel_pstate/no_turbo")
    if off is not None:
        return off == 0
    boost = tree.number("sys/devices/system/cpu/cpufreq/boost")
    return None if boost is None else boost == 1


def groups(tree: Tree) -> list[str]:
    """Folders of the control groups that limit this process's CPUs, the innermost first."""
    found: list[str] = []
    for line in tree.text("proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            bases = ["sys/fs/cgroup", "sys/fs/cgroup/unified"]
        elif "cpu" in controllers.split(","):
            bases = [f"sys/fs/cgroup/{controllers}", "sys/fs/cgroup/cpu"]
        else:
            continue
        parts = [part for part in path.split("/") if part]
        if ".." in parts:  # a process outside of the group's namespace
            parts = []
        for base in bases:
            found += ["/".join([base, *parts[:end]]) for end in range(len(parts), -1, -1)]
    return list(dict.fromkeys(found))


def _quota(tree: Tree) -> float | None:
    quotas = []
    for folder in groups(tree):
        words = tree.text(f"{folder}/cpu.max", 64).split()
        if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
            quotas.append(int(words[0]) / int(words[1]))
        quota = tree.number(f"{folder}/cpu.cfs_quota_us")
        period = tree.number(f"{folder}/cpu.cfs_period_us")
        if quota is not None and period and quota > 0:
            quotas.append(quota / period)
    return min(quotas) if quotas else None


def _container(tree: Tree) -> str | None:
    if tree.exists(".dockerenv"):
        return "docker"
    if tree.exists("run/.containerenv"):
        return "podman"
    text = tree.text("proc/1/cgroup") + tree.text("proc/self/cgroup")
    return next((name for name in _CONTAINERS if name in text), None)


def _virtual(tree: Tree, features: frozenset[str]) -> str | None:
    if "hypervisor" not in features and not tree.exists("sys/hypervisor/type"):
        return None
    vendor = tree.text("sys/class/dmi/id/sys_vendor", 80) or tree.text("sys/hypervisor/type", 80)
    return vendor or "unnamed"


def _last_cache(tree: Tree, cpu: int) -> int | None:
    sizes = {}
    for index in range(8):
        folder = f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
        found = re.fullmatch(r"(\d+)([KM])", tree.text(f"{folder}/size", 32))
        if found:
            level = tree.number(f"{folder}/level") or 0
            sizes[level] = int(found[1]) * {"K": 2**10, "M": 2**20}[found[2]]
    return sizes[max(sizes)] if sizes else None
