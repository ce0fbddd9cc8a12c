"""Every change of one operation of the XML of accepted schedules is judged the same by certune and
by the interpreter of the tests: dropped, doubled, moved to another thread block (another peer),
exchanged with the next, copying for adding and the reverse."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from accepted import accepted
from msccl_mutations import compare

JOBS = {
    "allgather": {"topology": "ring", "ranks": "4", "baseline": "tree", "targets": "azure"},
    "allreduce": {"topology": "ring", "ranks": "4", "baseline": "tree", "targets": "azure"},
    "reduce-scatter": {"topology": "hypercube", "dimensions": "3", "targets": "rccl"},
    "alltoall": {"topology": "ring", "ranks": "4", "targets": "rccl"},
}
OTHER = {"r": "rrc", "rrc": "r", "rcs": "rrcs", "rrcs": "rcs", "cpy": "re", "re": "cpy"}


def numbered(algo: ElementTree.Element) -> str:
    """The text, its steps numbered in document order as the runtimes count them."""
    for block in algo.iter("tb"):
        for number, step in enumerate(block):
            step.set("s", str(number))
    ElementTree.indent(algo, "  ")
    return ElementTree.tostring(algo, encoding="unicode")


def changed(text: str) -> Iterator[tuple[str, str]]:
    """Each change of one operation: what it is, and the text."""
    blocks = list(ElementTree.fromstring(text).iter("tb"))
    for at, block in enumerate(blocks):
        for index in range(len(block)):
            for kind in ("dropped", "doubled", "redirected", "exchanged", "operation"):
                algo = ElementTree.fromstring(text)
                every = list(algo.iter("tb"))
                here = every[at]
                step = here[index]
                if kind == "operation":
                    if step.get("type") not in OTHER:
                        continue
                    step.set("type", OTHER[step.get("type", "")])
                elif kind == "doubled":
                    here.insert(index, ElementTree.Element("step", dict(step.attrib)))
                elif kind == "exchanged":
                    if index + 1 == len(here):
                        continue
                    here.remove(step)
                    here.insert(index + 1, step)
                else:
                    here.remove(step)
                    if kind == "redirected":
                        gpu = next(g for g in algo.iter("gpu") if here in list(g))
                        others = [b for b in gpu if b is not here]
                        if not others:
                            continue
                        others[index % len(others)].append(step)
                yield kind, numbered(algo)


@pytest.mark.slow
@pytest.mark.parametrize("kind", JOBS)
def test_every_change_of_an_operation(kind: str, tmp_path) -> None:
    made = accepted(tmp_path, f"collective/{kind}", JOBS[kind])
    chance = random.Random(kind)
    for name, data in made.files.items():
        if not name.endswith(".xml"):
            continue
        found: dict[str, Counter[str]] = {}
        for change, text in changed(data.decode()):
            found.setdefault(change, Counter())[compare(text, chance, most=1)] += 1
        assert found["dropped"]["proved"] == 0, found  # no operation is idle
        assert found["doubled"].total() == found["dropped"].total()
