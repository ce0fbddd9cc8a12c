"""The tests' own reasons why two MSCCL programs do the same: each met once, and each refused where
a hair is missing."""

from __future__ import annotations

import pytest
from msccl_equivalence import WHY, Different, explain
from msccl_files import program, step


def gathered(*first, claims=None, second=None) -> str:
    """Two ranks that gather two chunks, out of place; `first` is what rank 0's last block does."""
    header = claims or {}
    blocks = [[(1, 1, 0, [step("s", "i0"), step("r", "o1", "o1")]), (-1, -1, 0, list(first))]]
    blocks += [
        [
            (0, 0, 0, [step("s", "i0"), step("r", "o0", "o0")]),
            (-1, -1, 0, second or [step("cpy", "i0", "o1")]),
        ]
    ]
    return program("allgather", blocks, pieces=2, chunks=(1, 2, 4), **header).decode()


PLAIN = gathered(step("cpy", "i0", "o0"))


def why(changed: str, original: str = PLAIN) -> str:
    return explain(original, changed, seed=1)


def added(*sums: tuple[str, ...]) -> str:
    """Three ranks reduce a chunk each rank of its own: rank r adds as `sums[r]` says."""
    gpus = []
    for rank in range(3):
        peers = [(rank + 1) % 3, (rank + 2) % 3]
        blocks = [(p, p, 0, [step("s", "i0"), step("r", "s0", f"s{p}", signals=1)]) for p in peers]
        number = {f"s{p}": k for k, p in enumerate(peers)}
        work = [step("nop", after=(0, 1)), step("cpy", f"i{0}", f"s{rank}", after=(1, 1))]
        terms = sums[rank] if sums else ("s0", "s1", "s2")
        work += [step("re", term, terms[0]) for term in terms[1:]]
        work += [step("cpy", terms[0], "o0")]
        blocks.append((-1, -1, 0, work))
        assert len(number) == 2
        gpus.append(blocks)
    return program("allreduce", gpus, pieces=1, chunks=(1, 1, 3)).decode()


def test_the_same_operations() -> None:
    unread = gathered(step("nop"), step("cpy", "i0", "o0"))
    assert why(unread) == "the same operations"
    # A step of no chunks is a nop, and hands its wait on to the next.
    held, empty = (
        gathered(step(kind, count=0, after=(0, 0)), step("cpy", "i0", "o0", after=(0, 1)))
        .replace('hasdep="0"', 'hasdep="1"', 2)
        .replace('send="-1"', 'send="1"', 1)
        for kind in ("nop", "s")
    )
    assert why(empty, held) == "the same operations"
    assert why(PLAIN.replace('s="1" type="r" srcbuf="o"', 's="7" type="r" srcbuf="i"')) == WHY[0]


def test_another_name() -> None:
    claims = {"inplace": 1, "outofplace": 0}
    own = gathered(step("cpy", "o0", "o0"), claims=claims, second=[step("cpy", "o1", "o1")])
    other = gathered(step("cpy", "i0", "o0"), claims=claims, second=[step("cpy", "o1", "o1")])
    assert why(other, own) == "another name"


def test_signals_and_waits() -> None:
    signal = gathered(step("cpy", "i0", "o0", signals=1))
    assert why(signal) == "idle signal"
    waits = PLAIN.replace('depid="-1" deps="-1" hasdep="0"', 'depid="-1" deps="-1" hasdep="1"', 1)
    first = gathered(step("cpy", "i0", "o0", after=(0, 0)))
    assert why(first.replace('hasdep="0"', 'hasdep="1"', 1), waits) == "needless wait"
    with pytest.raises(Different, match="never comes"):
        why(gathered(step("cpy", "i0", "o0", after=(0, 3))))


def test_what_is_fused_or_not() -> None:
    fused = added()
    apart = fused.replace('type="re"', 'type="re" x="1"', 1)
    at = apart.index('hasdep="0"', apart.index('x="1"'))
    apart = apart[:at] + 'hasdep="1"' + apart[at + len('hasdep="0"') :]
    assert why(apart.replace(' x="1"', ""), fused) == "idle signal"


def test_an_implied_wait() -> None:
    twice = gathered(step("cpy", "i0", "o0", after=(0, 0)), step("cpy", "i0", "s0", after=(0, 0)))
    once = gathered(step("cpy", "i0", "o0", after=(0, 0)), step("cpy", "i0", "s0"))
    one, other = (t.replace('hasdep="0"', 'hasdep="1"', 1) for t in (twice, once))
    assert why(other, one) == "implied wait"
    assert why(one, other) == "implied wait"


def test_another_order() -> None:
    two = step("cpy", "i0", "o0"), step("cpy", "i0", "s1")
    assert why(gathered(*two[::-1]), gathered(*two)) == "another order"
    chained = step("cpy", "i0", "s1"), step("cpy", "s1", "o0")
    with pytest.raises(Different, match="uninitialised"):
        why(gathered(*chained[::-1]), gathered(*chained))


def test_idle_writes() -> None:
    twice = gathered(step("cpy", "i0", "o0"), step("cpy", "i0", "o0"))
    assert why(twice) == "idle write"
    assert why(PLAIN, twice) == "idle write"
    unread = gathered(step("cpy", "i0", "o0"), step("cpy", "i0", "s0"), step("cpy", "s0", "s1"))
    assert why(unread) == "idle write"
    # With what it writes read, the operation is not idle: something else explains it, or nothing.
    used = gathered(step("cpy", "i0", "s0"), step("cpy", "s0", "o0"))
    with pytest.raises(Different, match="nothing explains"):
        why(used)


def test_equal_values() -> None:
    via = step("cpy", "i0", "s0"), step("cpy", "s0", "o0")
    assert why(gathered(via[0], step("cpy", "i0", "o0")), gathered(*via)) == "equal values"
    with pytest.raises(Different, match="wrong"):
        why(gathered(via[0], step("cpy", "s0", "o1")), gathered(*via))
    # What is read is not idle, though it is only read to be written elsewhere.
    long = step("cpy", "i0", "s1"), step("cpy", "i0", "s0"), step("cpy", "s0", "o0")
    other = long[0], step("cpy", "s1", "s0"), long[2]
    assert why(gathered(*other), gathered(*long)) == "equal values"


def test_another_sum() -> None:
    assert why(added(), added()) == "the same operations"
    # Of three terms the first two are added in one order or the other, which is one sum; …
    same = added(("s1", "s0", "s2"), *[("s0", "s1", "s2")] * 2)
    assert why(same, added()) == "equal values"
    # … the third before the second is another.
    moved = added(("s0", "s2", "s1"), *[("s0", "s1", "s2")] * 2)
    assert why(moved, added()) == "another sum"
    with pytest.raises(Different, match="wrong"):
        why(added(("s0", "s1", "s1"), *[("s0", "s1", "s2")] * 2), added())


def test_another_call() -> None:
    def alone(**header: int) -> str:
        gpus = []
        for r in (0, 1):
            own = [step("cpy", "i0", f"o{r}"), step("s", "i0"), step("r", "o0", f"o{1 - r}")]
            gpus.append([(1 - r, 1 - r, 0, own)])
        return program("allgather", gpus, pieces=2, chunks=(1, 2, 0), **header).decode()

    assert why(alone(inplace=1, outofplace=0), alone()) == "another call"
    assert why(alone(inplace=1, outofplace=1), alone()) == "another call"


def test_a_race_and_a_hang_are_no_reason() -> None:
    early = gathered(step("cpy", "i0", "o0"), second=[step("cpy", "o0", "s0")])
    with pytest.raises(Different, match=r"race|uninitialised"):
        why(early)
    lonely = PLAIN.replace('type="s"', 'type="nop"', 1)
    with pytest.raises(Different, match="hang"):
        why(lonely)
