"""The trace of a simulated life: strict format, every failure, states without gaps. Its events as CSV."""

from __future__ import annotations

import csv
import io

import pytest

from campaign_fixtures import DAY_S, simulated
from myriad.report.life_csv import COLUMNS, events_csv
from myriad.report.life_trace import MICROSECONDS_PER_S, life_trace
from trace_format import Counter, Instant, ProcessName, Slice, checked


def test_a_life_is_a_valid_trace_with_every_failure() -> None:
    plan = simulated(300)
    trace = checked(life_trace(plan))
    life = plan.campaigns[0].life
    failures = [one for one in trace.of(Instant) if one.name.startswith("failure ")]
    assert len(failures) == sum(event.kind == "failure" for event in life) == 300
    titles = [one.args["name"] for one in trace.of(ProcessName) if one.name == "process_name"]
    assert titles[0].startswith("flagship-1t on own")
    lost = trace.of(Counter)[-1].args["hours"]
    assert lost == pytest.approx(sum(event.lost_s for event in life) / 3600, rel=1e-6)


def test_states_fill_the_whole_life() -> None:
    trace = checked(life_trace(simulated(50)))
    states = [one for one in trace.of(Slice) if one.pid == 0]
    assert states[0].ts == 0
    end = states[-1].ts + states[-1].dur
    assert end == pytest.approx(95.2 * DAY_S * MICROSECONDS_PER_S, rel=1e-6)
    assert sum(one.dur for one in states) == pytest.approx(end, rel=1e-6)
    assert {"running", "not yet detected", "restart"} <= {one.name for one in states}


def test_events_are_lines_of_every_run() -> None:
    life = simulated(10).campaigns[0].life
    rows = list(csv.DictReader(io.StringIO(events_csv({"train": [life, life[:3]]}))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(life) + 3
    assert [row["run"] for row in rows[-3:]] == ["1"] * 3
    assert float(rows[0]["time_s"]) == pytest.approx(life[0].time_s, abs=1e-3)
    assert rows[-1]["kind"] == life[2].kind
