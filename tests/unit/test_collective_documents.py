"""The examples in the documentation of the formats are what they say."""

import re
from pathlib import Path

import pytest

from certune.tasks.collective.dataflow import verify
from certune.tasks.collective.schedule import parse_schedule
from certune.tasks.collective.topology import parse_topology

FORMATS = Path(__file__).parent.parent.parent / "docs" / "formats"


def examples(name):
    return [
        x.encode() for x in re.findall(r"```json\n(.*?)```", (FORMATS / name).read_text(), re.S)
    ]


@pytest.mark.parametrize("data", examples("schedule.md"))
def test_schedules(data):
    assert verify(parse_schedule(data)) is None


@pytest.mark.parametrize("data", examples("topology.md"))
def test_topologies(data):
    assert parse_topology(data).ranks == 4
