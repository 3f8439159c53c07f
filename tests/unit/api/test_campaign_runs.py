"""Runs of campaigns: the same whatever they are spread over, and common draws for questions beside one another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from myriad.api.campaign_runs import run_chunk_alike, runs_of
from myriad.engine import Local
from myriad.errors import LaunchError
from myriad.sim.campaign import CATEGORIES, Campaign, Level
from myriad.sim.campaign.chunks import Chunk, Question, Runs, run_chunk, simulated_run
from myriad.sim.failures import Breakable
from myriad.spec.reliability import Duration, FailureCause, Rate
from myriad.units import DAY_S, HOUR_S

HOST = FailureCause(
    component="host",
    rate=Rate(per_1000_unit_days=20.0),
    detection=Duration(mean=600.0),
    repair=Duration(mean=6 * HOUR_S),
)
CAMPAIGN = Campaign(
    nodes=32, work_s=20 * DAY_S, horizon_s=60 * DAY_S, step_s=10.0, levels=(Level("storage", 1800.0, 5.0, 60.0, 60.0),),
    mode="restart", restart_s=300.0, swap_s=0.0, replica_nodes=4, replica_stall_s=10.0, heal_s=60.0, repair_crews=None,
)  # fmt: skip


def breakable(nodes: int = 34, cause: FailureCause = HOST) -> Breakable:
    return Breakable(
        num_nodes=nodes, accelerators_per_node=8, links_per_node=8, switches=4.0, causes=(("host", cause),),
        nodes_per_leaf=16, nodes_per_rack=4, nodes_per_power_domain=16, lemon_share=0.0, lemon_times=1.0,
        joined_s=np.zeros(nodes), age_s=np.zeros(nodes),
    )  # fmt: skip


QUESTION = Question(CAMPAIGN, breakable())


def same(one: Runs, other: Runs) -> bool:
    names = ("ledger_s", "wall_s", "finished", "interruptions", "cost_s")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def runs(number: int, engine: Local, *questions: Question) -> tuple[Runs, ...]:
    counted: list[int] = []
    found = runs_of(questions or (QUESTION,), 0, 3, number, engine, counted.append)
    assert sum(counted) == number
    return found


def test_one_process_and_two_give_the_same_bits() -> None:
    shorter = replace(QUESTION, campaign=replace(CAMPAIGN, restart_s=0.0))
    for one, two in zip(runs(9, Local(1), QUESTION, shorter), runs(9, Local(2), QUESTION, shorter), strict=True):
        assert same(one, two)


def test_chunks_of_any_size_hold_the_same_runs() -> None:
    (whole,) = run_chunk(Chunk((QUESTION,), 0, 3, 0, 6))
    for cut in (1, 4):
        (first,), (rest,) = (run_chunk(Chunk((QUESTION,), 0, 3, *span)) for span in ((0, cut), (cut, 6)))
        assert np.array_equal(np.concatenate([first.wall_s, rest.wall_s]), whole.wall_s)
    assert simulated_run(QUESTION, 0, 3, 4).wall_s == whole.wall_s[4]


def test_campaigns_and_seeds_draw_on_their_own() -> None:
    (one,), (other,), (seed,) = (
        run_chunk(Chunk((QUESTION,), number, seed, 0, 3)) for number, seed in ((0, 3), (1, 3), (0, 4))
    )
    assert len({*one.wall_s, *other.wall_s, *seed.wall_s}) == 9


def test_a_question_is_answered_alike_beside_others() -> None:
    faster = replace(QUESTION, breakable=breakable(cause=HOST.model_copy(update={"detection": Duration(mean=0.0)})))
    more = replace(QUESTION, breakable=breakable(36))
    half = replace(QUESTION, kept_share={"host": 0.5})
    together = run_chunk(Chunk((QUESTION, faster, more, half), 0, 3, 0, 8))
    for question, found in zip((QUESTION, faster, more, half), together, strict=True):
        (alone,) = run_chunk(Chunk((question,), 0, 3, 0, 8))
        assert same(alone, found)
    base, faster_runs, _, fewer = together
    detection = CATEGORIES.index("detection")
    assert not faster_runs.ledger_s[:, detection].any()
    assert base.ledger_s[:, detection].all()
    assert fewer.interruptions.sum() < 0.7 * base.interruptions.sum()


def test_common_draws_make_differences_narrow() -> None:
    shorter = replace(QUESTION, campaign=replace(CAMPAIGN, restart_s=150.0))
    base, less = run_chunk(Chunk((QUESTION, shorter), 0, 3, 0, 20))
    difference = base.wall_s - less.wall_s
    assert difference.std() < 0.6 * np.hypot(base.wall_s.std(), less.wall_s.std())


def test_another_installation_is_refused() -> None:
    with pytest.raises(LaunchError, match="another version of Myriad"):
        run_chunk_alike(Chunk((QUESTION,), 0, 3, 0, 1), resting_on="0" * 16)
