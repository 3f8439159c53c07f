"""The books of any run: whole, never negative, and the same wherever its supervisor was killed."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from myriad.run.ledger import Ledger, ledger
from myriad.spec.run import RunEvent
from run_histories import History

SECONDS = st.floats(0.0, 500.0)


@st.composite
def histories(draw: st.DrawFn) -> tuple[History, bool]:
    run = History(step_s=draw(st.floats(0.01, 20.0)), now_s=0.0)
    submission = restart = done = saved = 0
    run.submit(0, draw(SECONDS))
    for _ in range(draw(st.integers(1, 6))):
        life = f"{submission:03d}.{restart:03d}"
        if draw(st.integers(0, 5)):
            run.begin(life, saved, draw(SECONDS))
            every = draw(st.sampled_from((0, 1, 3)))
            last = saved + draw(st.integers(0, 12))
            slow = draw(st.booleans())
            run.train(life, saved + 1, last, checkpoint_every=every, blocking_s=draw(st.floats(0.0, 30.0)))
            if slow:
                run.tell("slow-rank", rank=1)
                run.train(life, last + 1, last + 3, step_s=run.step_s * 3)
                last += 3
            done = last
            saved = max((one.step or 0 for one in run.events[life] if one.kind == "checkpoint"), default=saved)
        if draw(st.booleans()):
            run.now_s += draw(SECONDS)
            restart += 1
        else:
            run.tell(draw(st.sampled_from(("exit", "hang", "node-failed"))), draw(SECONDS))
            run.tell("restart", draw(SECONDS))
            submission, restart = submission + 1, 0
            run.submit(submission, draw(SECONDS))
    finished = draw(st.booleans())
    if finished:
        life = f"{submission:03d}.{restart:03d}"
        run.begin(life, saved, draw(SECONDS))
        run.train(life, saved + 1, max(done, saved) + 2)
        run.finish(life, max(done, saved) + 2)
        run.tell("finished", draw(SECONDS))
    return run, finished


def books(run: History, told: list[RunEvent], ended: bool) -> Ledger:
    return ledger(run.lives, told, run.start_s, run.time_s, ended)


@settings(max_examples=150, deadline=None)
@given(histories())
def test_the_parts_are_the_whole_and_none_is_negative(case: tuple[History, bool]) -> None:
    run, ended = case
    found = books(run, run.told, ended)
    assert sum(found.seconds.values()) == pytest.approx(found.wall_s, abs=1e-5)
    assert all(value >= 0.0 for value in found.seconds.values())
    if found.segments:
        assert found.segments[0].begin_s == run.start_s
        assert found.segments[-1].end_s == run.time_s
        assert all(before.end_s == after.begin_s for before, after in pairwise(found.segments))


@settings(max_examples=150, deadline=None)
@given(histories())
def test_lost_work_is_the_steps_that_are_trained_again(case: tuple[History, bool]) -> None:
    run, ended = case
    records = run.steps
    lost = [one for one in records if not one.kept]
    found = books(run, run.told, ended)
    assert found.seconds["lost_work"] == pytest.approx(sum(one.step_s for one in lost), abs=1e-4)
    kept = [one.step for one in records if one.kept]
    assert len(kept) == len(set(kept)), "no step lasts twice"
    if ended:
        assert sorted(kept) == list(range(1, max(kept) + 1)), "and all that were lost were made again"


@settings(max_examples=150, deadline=None)
@given(histories(), st.lists(st.floats(0.0, 3000.0), max_size=5), st.data())
def test_a_supervisor_that_was_killed_and_came_back_changes_nothing(
    case: tuple[History, bool], times: list[float], data: st.DataObject
) -> None:
    run, ended = case
    before = books(run, run.told, ended)
    again = data.draw(st.lists(st.sampled_from(run.told), max_size=4))
    back = [RunEvent(time_s=run.start_s + one, kind=kind) for one in times for kind in ("adopted", "trouble")]
    assert books(run, [*run.told, *again, *back], ended) == before
    for events in run.events.values():
        events += events[: len(events) // 2]  # read twice
    assert books(run, run.told, ended) == before
