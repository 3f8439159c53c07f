"""Step logs: restarts, lost steps, checkpoints and slow periods; of a simulated campaign, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from myriad.calibrate.step_log import fit_steps, read_steps
from myriad.errors import SpecError
from myriad.sim.campaign import CATEGORIES, EVENT_KINDS, Campaign, Level, run_campaign
from myriad.sim.failures import draw_incidents
from myriad.units import DAY_S
from reliability_logs import breakable, profile, step_log


def fitted(tmp_path, text):
    path = tmp_path / "steps.csv"
    path.write_text(text, "utf-8")
    return fit_steps(read_steps(path))


def lines(seconds, start_step=1, start_s=0.0, pauses=None):
    """Steps of these durations, one after the other; pauses: step -> seconds before it."""
    now, rows = start_s, []
    for index, taken in enumerate(seconds):
        now += (pauses or {}).get(start_step + index, 0.0) + taken
        rows.append(f"{now:.3f},{start_step + index},{taken:.3f}")
    return rows


HEAD = "time,step,seconds"


@pytest.mark.parametrize("logged_every", [1, 10])
@pytest.mark.parametrize("seed", [0, 1])
def test_round_trip_through_a_simulated_campaign(tmp_path, seed, logged_every):
    days = 20
    known = profile(
        {
            "gpu": {
                "rate": {"per_1000_unit_days": 10.0},
                "repair": {"mean": 7200.0, "law": "lognormal"},
                "detection": {"mean": 300.0, "law": "exponential"},
            }
        }
    )
    campaign = Campaign(
        nodes=200, work_s=math.inf, horizon_s=days * DAY_S, step_s=10.0,
        levels=(Level("storage", 1800.0, 20.0, 80.0, 60.0),), mode="restart", restart_s=240.0, swap_s=0.0,
        replica_nodes=1, replica_stall_s=0.0, heal_s=0.0, repair_crews=None,
    )  # fmt: skip
    cluster = breakable(known, 210)
    incidents = draw_incidents(cluster, campaign.horizon_s, np.random.SeedSequence(seed))
    run = run_campaign(campaign, cluster, incidents)
    ledger = dict(zip(CATEGORIES, run.ledger_s, strict=True))
    found = fitted(tmp_path, step_log(run, campaign, logged_every))
    restarts = sum(EVENT_KINDS[kind] == "running" for kind in run.event_kind) - 1
    # Steps logged tenth by tenth hide a restart that nearly hits one, and part of what was lost.
    assert restarts - (logged_every > 1) <= len(found.restarts) <= restarts
    assert found.ettr == pytest.approx(ledger["productive"] / run.wall_s, abs=0.001)
    assert found.checkpoint_blocking_s == pytest.approx(20.0, abs=0.1)
    assert found.checkpoint_interval_s == pytest.approx(1800.0, rel=0.01)
    assert found.checkpoint_s == pytest.approx(ledger["checkpoint"], rel=0.01)
    coarse = logged_every * 10.0 * restarts
    stopped = sum(ledger[name] for name in ("detection", "diagnosis", "restart", "waiting"))
    assert found.down_s == pytest.approx(stopped, abs=coarse)
    assert found.lost_work_s == pytest.approx(ledger["lost_work"], abs=coarse)
    assert found.mean_time_to_interruption_s.low < run.wall_s / restarts < found.mean_time_to_interruption_s.high
    assert found.slow == ()
    parts = ("productive_s", "lost_work_s", "down_s", "checkpoint_s", "slow_s", "other_s")
    assert sum(getattr(found, name) for name in parts) == pytest.approx(found.wall_s)


def test_jitter_slow_steps_and_a_pause_of_its_own(tmp_path):
    rng = np.random.default_rng(4)
    seconds = 10.0 * rng.lognormal(0.0, 0.02, 3000)
    seconds[1000:1200] *= 1.3
    seconds[99::100] += 15.0
    found = fitted(tmp_path, "\n".join([HEAD, *lines(seconds, pauses={2051: 3600.0})]))
    assert found.step_s == pytest.approx(10.0, rel=0.01)
    (slow,) = found.slow
    assert slow.speed == pytest.approx(1 / 1.3, rel=0.02)
    assert slow.end_s - slow.start_s == pytest.approx(200 * 13.0, rel=0.1)
    assert (found.checkpoint_steps, found.checkpoint_blocking_s) == (pytest.approx(100), pytest.approx(15.0, rel=0.1))
    (restart,) = found.restarts
    assert (restart.step, restart.lost_steps, restart.down_s) == (2050, 0, pytest.approx(3600.0))
    assert abs(found.other_s) < 0.01 * found.wall_s


def test_blocking_beside_the_steps_and_steps_that_go_back(tmp_path):
    first = lines(np.full(400, 5.0), pauses={step + 1: 30.0 for step in range(50, 400, 50)})
    end_s = float(first[-1].split(",")[0])
    second = lines(np.full(300, 5.0), 351, end_s + 600.0)
    found = fitted(tmp_path, "\n".join([HEAD, *first, *second]))
    (restart,) = found.restarts
    assert (restart.step, restart.lost_steps, restart.down_s) == (400, 50, pytest.approx(600.0))
    assert (found.checkpoint_steps, found.checkpoint_blocking_s) == (50.0, pytest.approx(30.0))
    assert (found.steps, found.lost_steps) == (650, 50)
    assert found.lost_work_s == 250.0


def test_a_quiet_log(tmp_path):
    found = fitted(tmp_path, "\n".join([HEAD, *lines(np.full(100, 2.0))]))
    assert (found.ettr, found.restarts, found.restart_s, found.mean_time_to_interruption_s) == (1.0, (), None, None)
    assert (found.checkpoint_steps, found.checkpoint_blocking_s, found.slow) == (None, None, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}\n1,1,1\n", "steps.csv: 1 steps are too few; at least 11"),
        (f"{HEAD}\n5,1,1\n4,2,1\n", "steps.csv:3: time: earlier than the line before"),
        (f"{HEAD}\n5,1,1\n2026-01-01,2,1\n", "steps.csv:3: time: a date and seconds in one log"),
        (f"{HEAD}\n5,one,1\n", "steps.csv:2: step: expected a whole number"),
        ("time,step\n5,1\n", "steps.csv:1: the column 'seconds' is missing"),
    ],
)
def test_wrong_step_logs(tmp_path, text, said):
    with pytest.raises(SpecError) as error:
        fitted(tmp_path, text)
    assert said in str(error.value)
