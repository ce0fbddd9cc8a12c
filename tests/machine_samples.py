"""A calm machine of two cores, and what its probes saw."""

from dataclasses import replace

from certune.sandbox.machine import Probed, Series
from certune.sandbox.machine.counters import Pressure
from certune.sandbox.machine.description import Core, Facts

FACTS = Facts(
    cpu="Some CPU",
    features=frozenset({"avx2"}),
    cpus=(0, 1),
    online=2,
    cores=(Core((0,), (), 0), Core((1,), (), 0)),
    governor="performance",
    driver=None,
    turbo=None,
    megahertz=None,
    clock="tsc",
    quota=None,
    container=None,
    virtual=None,
    aslr=2,
    kernel="6.1",
    memory_bytes=2**33,
    last_cache_bytes=2**23,
)
CALM = Pressure(
    seconds=0.5, others=0.0, steal=0.0, throttled=0.0, waiting=0.0, thermal=0, switches=0, load=0.0
)


def probed(slower: float = 1.0, tail: float = 1.0, **changes: object) -> Probed:
    """A calm machine's probes; `slower` scales all, `tail` one in ten repetitions."""
    base = [1e-4 * slower * (1 + 0.001 * (i % 7)) for i in range(100)]
    wall = [x * (tail if i % 10 == 0 else 1) for i, x in enumerate(base)]
    made = Probed(
        timer_floor=5e-8,
        timer_step=3e-8,
        detoured=0.001,
        longest_detour=5e-5,
        scheduled=1.0,
        correct=True,
        series=(
            Series("compute", "s", "lower", tuple(wall)),
            Series("compute-cpu", "s", "lower", tuple(wall)),
            Series("bandwidth", "B/s", "higher", tuple(1e10 / slower for _ in range(5))),
            Series("latency", "s", "lower", tuple(1e-7 * slower for _ in range(20))),
        ),
    )
    return replace(made, **changes)
