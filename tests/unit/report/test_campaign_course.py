"""The course of a life: what its events mean for the job, its work, and its incidents."""

import numpy as np
import pytest

import campaign_fixtures
from myriad.report.campaign_course import STATES, Course, costliest_stretch, course_of, story
from myriad.spec.campaign_result import CampaignResult, CauseLine, LifeEvent

NOTHING = campaign_fixtures.spread(0.0)


def course(*events: tuple[float, str], mode: str = "restart", books: dict[str, float] | None = None) -> Course:
    """Of a life of 100 s whose events are (time, kind or `kind cause lost_s`)."""
    life = []
    for time_s, told in events:
        kind, cause, lost_s = [*told.split(), "", ""][:3]
        node = 3 if cause else None
        life.append(LifeEvent(time_s=time_s, kind=kind, cause=cause, node=node, lost_s=float(lost_s or 0)))
    causes = tuple(
        CauseLine(name=name, component="gpu", effect=effect, interruptions=NOTHING, wall_s=NOTHING)
        for name, effect in (("xid", "stop"), ("sdc", "corrupt"), ("hot", "slow"))
    )
    ledger_s = books or {"productive": 70.0, "restart": 30.0}
    changes = {"life": tuple(life), "causes": causes, "life_ledger_s": ledger_s, "mode": mode}
    found = course_of(campaign_fixtures.campaign(1).model_copy(update=changes))
    assert found is not None
    return found


def spans(found: Course) -> list[tuple[float, str]]:
    return [
        (float(time_s), STATES[state]) for time_s, state in zip(found.times_s[:-1], found.states, strict=True)
    ]  # fmt: skip


def work_at(found: Course, time_s: float) -> float:
    return float(np.interp(time_s, found.point_s, found.work_s))


def test_a_failure_stops_the_job_until_it_runs_again() -> None:
    found = course((40.0, "failure xid 5"), (50.0, "detected xid"), (55.0, "restart"), (70.0, "running"))
    assert spans(found) == [(0.0, "running"), (40.0, "stopped"), (55.0, "restarting"), (70.0, "running")]
    (incident,) = found.incidents
    assert (incident.component, incident.lost_s, incident.stood_s) == ("gpu", 5.0, 30.0)
    assert found.work_s[-1] == pytest.approx(70.0)
    assert work_at(found, 39.999) - work_at(found, 40.001) == pytest.approx(5.0, abs=0.01)
    assert work_at(found, 60.0) == pytest.approx(work_at(found, 45.0))


def test_spoiled_work_is_lost_when_it_is_found() -> None:
    found = course((40.0, "failure sdc 20"), (60.0, "detected sdc"), (65.0, "restart"), (90.0, "running"))
    assert spans(found)[1] == (60.0, "stopped")
    assert work_at(found, 59.9) > work_at(found, 40.1)
    assert work_at(found, 59.99) - work_at(found, 60.01) == pytest.approx(20.0, abs=0.1)
    (incident,) = found.incidents
    assert (incident.start_s, incident.stood_s) == (40.0, 30.0)


def test_spoiled_work_that_nobody_finds_is_not_lost() -> None:
    found = course((40.0, "failure sdc 20"), books={"productive": 100.0})
    assert spans(found) == [(0.0, "running")]
    assert np.all(np.diff(found.work_s) >= 0.0)
    assert len(found.incidents) == 1


def test_replicas_go_on() -> None:
    found = course((40.0, "failure xid"), (40.0, "shrunk xid"), (60.0, "grown"), mode="replica")
    assert spans(found) == [(0.0, "running"), (40.0, "slowed"), (60.0, "running")]


def test_waiting_is_planned_where_maintenance_causes_it() -> None:
    found = course((30.0, "maintenance"), (30.0, "waiting"), (50.0, "restart"), (60.0, "running"),
                   (70.0, "failure xid"), (80.0, "waiting xid"))  # fmt: skip
    assert [state for _, state in spans(found)] == ["running", "down", "restarting", "running", "stopped", "waiting"]
    assert found.incidents[0].stood_s == pytest.approx(30.0)


def test_a_slow_node_holds_back_until_it_is_well_or_gone() -> None:
    found = course((20.0, "slow hot"), (40.0, "recovered hot"), (50.0, "slow hot"), (60.0, "failure xid"),
                   (70.0, "restart"), (80.0, "running"))  # fmt: skip
    states = [state for _, state in spans(found)]
    assert states == ["running", "slowed", "running", "slowed", "stopped", "restarting", "running"]


def test_states_share_all_of_the_time() -> None:
    found = course_of(campaign_fixtures.campaign(400))
    assert found is not None
    edges = np.linspace(0.0, found.end_s, 37)
    assert sum(found.state_s(state, edges) for state in STATES) == pytest.approx(np.diff(edges))
    assert found.work_s[-1] == pytest.approx(0.874 * found.end_s)
    assert np.all(np.diff(found.point_s) >= 0.0)
    assert np.all(np.isfinite(found.work_s))


def test_the_costliest_hours_hold_the_costliest_incident() -> None:
    found = course_of(campaign_fixtures.campaign(400))
    assert found is not None
    stretch = costliest_stretch(found)
    assert stretch is not None
    start_s, end_s, shown = stretch
    worst = max(found.incidents, key=lambda one: one.lost_s + one.stood_s)
    assert worst in shown
    assert all(start_s <= one.start_s <= end_s for one in shown)
    assert shown == tuple(one for one in found.incidents if start_s <= one.start_s <= end_s)


def test_a_result_without_a_life_has_no_course() -> None:
    without: CampaignResult = campaign_fixtures.unfinished()
    assert course_of(without) is None
    calm = course((100.0, "finished"), books={"productive": 100.0})
    assert costliest_stretch(calm) is None


def test_the_story_of_an_incident_ends_when_the_job_works_or_breaks_again() -> None:
    result = campaign_fixtures.campaign(40)
    found = course_of(result)
    assert found is not None
    for incident in found.incidents:
        kinds = [kind for kind, _ in story(result, incident)]
        assert kinds in (["detected", "restart", "running"], ["detected", "waiting", "running"])
        assert story(result, incident)[-1][1] == pytest.approx(incident.stood_s)
