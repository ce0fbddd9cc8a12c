"""The verifier and the independent interpreter judge every schedule the same."""

from unittest.mock import patch

from bruteforce import judge
from collective_strategies import collectives, right_schedules, topologies
from hypothesis import given, settings
from hypothesis import strategies as st

from certune.tasks.collective import dataflow
from certune.tasks.collective.baselines import baseline, default_baseline
from certune.tasks.collective.dataflow import verify
from certune.tasks.collective.library import build
from certune.tasks.collective.schedule import dump_schedule, from_sends, parse_schedule
from certune.tasks.collective.schema import example_schedule


def agree(schedule):
    """Judge by both, in two batch sizes, and compare; True where the schedule is right."""
    data = dump_schedule(schedule)
    schedule = parse_schedule(data)
    found = verify(schedule)
    with patch.object(dataflow, "SLICE_BYTES", 1):
        tiny = verify(schedule, batch_bytes=1)
    assert (found and found.sentence) == (tiny and tiny.sentence)
    expected = judge(data)
    if found is None or expected is None:
        assert found is None
        assert expected is None
    elif expected == ("end",):
        assert found.data["kind"] in ("lacking", "incomplete")
    else:
        names = ("step", "operation", "source", "destination", "chunk")
        assert expected == ("send", *(found.data[name] for name in names))
    return found is None


def sends(collective, steps=4):
    ranks = st.integers(0, collective.ranks - 1)
    chunk = st.integers(0, collective.chunks - 1)
    one = st.tuples(st.integers(0, steps - 1), ranks, ranks, chunk, st.booleans())
    return one.filter(lambda send: send[1] != send[2])


def rows(schedule):
    columns = (schedule.step, schedule.source, schedule.destination, schedule.chunk)
    return [
        (*map(int, row), bool(reduce))
        for *row, reduce in zip(*columns, schedule.reduce, strict=True)
    ]


@st.composite
def grown(draw, collective):
    """A schedule built forward, so that most of its sends are allowed: what is held where is
    tracked, sums are mostly added where they are disjoint."""
    held = {}
    for rank, chunk in zip(*map(list, collective.before()), strict=True):
        held[int(rank), int(chunk)] = 1 << int(rank) if collective.reducing else 1
    everyone = range(collective.ranks)
    out = []
    for step in range(draw(st.integers(1, 6))):
        new = {}
        options = []
        for (rank, chunk), value in held.items():
            for to in everyone:
                there = held.get((to, chunk), 0)
                if to != rank and not (there & value and collective.reducing):
                    options.append((rank, to, chunk, bool(there)))
                elif to != rank and there != value:
                    options.append((rank, to, chunk, False))
        picks = draw(st.lists(st.sampled_from(options), max_size=30)) if options else []
        for rank, to, chunk, reduce in picks:
            if (to, chunk) in new:
                continue
            value = held[rank, chunk]
            reduce = reduce and collective.reducing
            new[to, chunk] = value | held.get((to, chunk), 0) if reduce else value
            out.append((step, rank, to, chunk, reduce))
        held |= new
    return out


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_random_schedules_are_judged_the_same(data):
    collective = data.draw(collectives(data.draw(st.integers(2, 5))))
    listed = data.draw(st.lists(sends(collective), min_size=1, max_size=40))
    agree(from_sends(collective, listed))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_grown_schedules_are_judged_the_same(data):
    collective = data.draw(collectives(data.draw(st.integers(2, 5))))
    listed = data.draw(grown(collective))
    extra = data.draw(st.lists(sends(collective, 6), max_size=2))
    if listed or extra:
        agree(from_sends(collective, listed + extra))


MUTATIONS = ("drop", "duplicate", "redirect", "resource", "rechunk", "move", "flip")


def mutate(data, collective, listed):
    """One change to one send: every kind that can go wrong in a schedule file."""
    index = data.draw(st.integers(0, len(listed) - 1))
    step, source, destination, chunk, reduce = listed[index]
    other = data.draw(st.integers(0, collective.ranks - 1))
    kind = data.draw(st.sampled_from(MUTATIONS))
    send = {
        "drop": None,
        "duplicate": listed[index],
        "redirect": (step, source, other, chunk, reduce),
        "resource": (step, other, destination, chunk, reduce),
        "rechunk": (
            step,
            source,
            destination,
            data.draw(st.integers(0, collective.chunks - 1)),
            reduce,
        ),
        "move": (data.draw(st.integers(-1, 5)), source, destination, chunk, reduce),
        "flip": (step, source, destination, chunk, not reduce),
    }[kind]
    rest = listed if kind == "duplicate" else listed[:index] + listed[index + 1 :]
    return rest + ([send] if send and send[1] != send[2] else [])


@given(st.data())
@settings(max_examples=250, deadline=None)
def test_single_mutations_of_right_schedules_are_judged_the_same(data):
    topology = data.draw(topologies(5))
    collective = data.draw(collectives(topology.ranks))
    makers = {
        "example": lambda: example_schedule(collective),
        "baseline": lambda: default_baseline(collective.kind, topology, collective.root)[1],
        "random": lambda: data.draw(right_schedules(topology, collective)),
    }
    right = makers[data.draw(st.sampled_from(sorted(makers)))]()
    assert agree(right)
    changed = mutate(data, right.collective, rows(right))
    if changed:
        agree(from_sends(right.collective, changed))


def test_every_single_mutation_of_the_dgx1_ring_is_judged_the_same():
    """Dropped, doubled, moved by a step, copy for reduce: each for every send of a ring."""
    topology = build("dgx1")
    for kind in ("allgather", "reduce-scatter"):
        right = baseline("ring", kind, topology)
        listed = rows(right)
        for index, (step, *rest, reduce) in enumerate(listed):
            others = listed[:index] + listed[index + 1 :]
            for changed in (
                others,
                [*listed, listed[index]],
                [*others, (step, *rest, not reduce)],
            ):
                assert not agree(from_sends(right.collective, changed))
            for moved in (step - 1, step + 1):  # right where it is still in time
                last = moved in (-1, right.steps)
                assert (
                    agree(from_sends(right.collective, [*others, (moved, *rest, reduce)])) == last
                )
