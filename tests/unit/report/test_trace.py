import json

import pytest
from pydantic import ValidationError

import report_fixtures
from myriad.report.trace import timeline_trace
from trace_format import Counter, ProcessName, Slice, checked


def test_a_trace_keeps_the_format_and_every_operation():
    timeline = report_fixtures.timeline()
    trace = checked(timeline_trace(timeline))
    slices = trace.of(Slice)
    assert sum(e.cat != "transfer" for e in slices) == len(timeline.operations.kind)
    assert sum(e.cat == "transfer" for e in slices) == len(timeline.transfers.kind)
    first = next(e for e in slices if e.pid == 2 and e.cat == "forward")
    assert (first.name, first.ts, first.dur) == ("forward 0", 200_000.0, 100_000.0)
    assert {e.args["name"] for e in trace.of(ProcessName) if e.name == "process_name"} == {
        f"stage {number}" for number in range(8)
    }
    peak = max(e.args["bytes"] for e in trace.of(Counter) if e.pid == 0)
    assert peak == round(timeline.stages[0].peak_activation_bytes)


def test_what_would_overlap_has_a_track_of_its_own():
    timeline = report_fixtures.timeline()
    late = timeline.transfers.model_copy(update={"end_s": tuple(t + 0.25 for t in timeline.transfers.start_s)})
    together = timeline.operations.model_copy(
        update={"start_s": (0.0,) * len(timeline.operations.kind), "end_s": (0.1,) * len(timeline.operations.kind)}
    )
    for changed in ({"transfers": late}, {"operations": together}):
        trace = checked(timeline_trace(timeline.model_copy(update=changed)))
        assert len({e.tid for e in trace.of(Slice) if e.pid == 0}) > 2


@pytest.mark.parametrize(
    "broken",
    [{"ph": "Z"}, {"ts": "0"}, {"ts": -1.0}, {"pid": None}, {"more": 1}, {"name": ""}],
)
def test_the_check_of_the_format_can_fail(broken):
    trace = json.loads(timeline_trace(report_fixtures.timeline()))
    trace["traceEvents"][-1] |= broken
    with pytest.raises(ValidationError):
        checked(json.dumps(trace))


def test_the_check_of_overlaps_can_fail():
    trace = json.loads(timeline_trace(report_fixtures.timeline()))
    slices = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["pid"] == 0 and e["tid"] == 1]
    slices[0]["dur"] = slices[1]["ts"] + 1
    with pytest.raises(AssertionError):
        checked(json.dumps(trace))
