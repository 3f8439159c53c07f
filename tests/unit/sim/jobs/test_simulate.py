"""Schedules small enough to be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from job_cases import Job, incident, submissions
from myriad.sim.jobs import Machines, Maintenance, Resume, rules_of, simulate_jobs
from myriad.sim.jobs.described import STATES
from myriad.spec.jobs import Policy, Quota

ONE_NODE = Machines(num_nodes=1, accelerators_per_node=8, nodes_per_leaf=1)
FOUR_NODES = Machines(num_nodes=4, accelerators_per_node=8, nodes_per_leaf=2)
FIFO = Policy(name="fifo", order="fifo", backfill="none", placement="first-fit")
EASY = FIFO.model_copy(update={"backfill": "easy"})
CONSERVATIVE = FIFO.model_copy(update={"backfill": "conservative"})


def test_a_gang_waits_for_all_its_accelerators_and_holds_up_those_behind_it() -> None:
    jobs = submissions(Job(0, 6, 10), Job(1, 4, 10), Job(2, 2, 3))
    runs = simulate_jobs(jobs, ONE_NODE, FIFO, 100.0)
    assert runs.started_s.tolist() == [0, 10, 10]
    assert runs.ended_s.tolist() == [10, 20, 13]
    assert runs.waited_s.tolist() == [0, 9, 8]
    assert (runs.held_s == runs.productive_s).all()


def test_easy_lets_a_job_pass_that_ends_before_the_head_starts_or_leaves_it_enough() -> None:
    # The head (8) starts at 10. The second may pass for it ends by then; the third would end at 13, and must not.
    jobs = submissions(Job(0, 6, 10), Job(1, 8, 10), Job(2, 2, 8), Job(2, 2, 11))
    runs = simulate_jobs(jobs, ONE_NODE, EASY, 100.0)
    assert runs.started_s.tolist() == [0, 10, 2, 20]
    # A head of 6 leaves 2 of the node over for as long as one likes.
    jobs = submissions(Job(0, 6, 10), Job(1, 6, 10), Job(2, 2, 1000))
    assert simulate_jobs(jobs, ONE_NODE, EASY, 2000.0).started_s.tolist() == [0, 10, 2]


def test_easy_uses_nodes_that_the_head_does_not_need() -> None:
    # Nodes: 0 busy until 10, 1 until 30. The head needs two nodes: 2 and 3 are free, so three wanted wait for node 0.
    jobs = submissions(Job(0, 8, 10), Job(0, 8, 30), Job(1, 24, 5), Job(2, 8, 9), Job(2, 8, 7))
    runs = simulate_jobs(jobs, FOUR_NODES, EASY, 100.0)
    # The reservation holds nodes 0, 2 and 3 from 10 on: a job of 9 from 2 would end at 11, one of 7 at 9.
    assert runs.started_s.tolist() == [0, 0, 10, 15, 2]


def test_early_ends_bring_the_head_forward() -> None:
    jobs = submissions(Job(0, 8, 4, limit=100), Job(1, 8, 5))
    assert simulate_jobs(jobs, ONE_NODE, EASY, 100.0).started_s.tolist() == [0, 4]


def test_conservative_backfill_delays_no_job_before_the_passing_one() -> None:
    # The first two hold 5 until 10 and 2 until 20. The head needs 4 and gets them at 10; the next needs 8 and gets them
    # at 20. The last needs 1 from 3 to 23: EASY lets it pass, for it does not delay the head; conservative backfill
    # does not, for it delays the next.
    jobs = submissions(Job(0, 5, 10), Job(0, 2, 20), Job(1, 4, 10), Job(2, 8, 5), Job(3, 1, 20))
    easy = simulate_jobs(jobs, ONE_NODE, EASY, 100.0)
    careful = simulate_jobs(jobs, ONE_NODE, CONSERVATIVE, 100.0)
    assert easy.started_s.tolist() == [0, 0, 10, 23, 3]
    assert careful.started_s.tolist() == [0, 0, 10, 20, 25]


def test_conservative_backfill_lets_short_jobs_into_holes() -> None:
    jobs = submissions(Job(0, 6, 10), Job(1, 8, 10), Job(2, 2, 8))
    assert simulate_jobs(jobs, ONE_NODE, CONSERVATIVE, 100.0).started_s.tolist() == [0, 10, 2]


@pytest.mark.parametrize(
    ("order", "started"),
    [("fifo", [0, 10, 20, 30]), ("priority", [0, 25, 10, 20]), ("shortest", [0, 15, 25, 10])],
)
def test_orders(order: str, started: list[float]) -> None:
    jobs = submissions(Job(0, 8, 10), Job(1, 8, 10), Job(2, 8, 10, priority=5), Job(3, 8, 5, priority=1))
    assert simulate_jobs(jobs, ONE_NODE, FIFO.model_copy(update={"order": order}), 100.0).started_s.tolist() == started


def test_fair_order_serves_the_tenant_that_holds_least_of_its_share() -> None:
    policy = Policy(name="fair", order="fair", backfill="none", placement="first-fit")
    jobs = submissions(Job(0, 4, 10), Job(0, 4, 5, tenant="b"), Job(1, 4, 10), Job(2, 4, 10, tenant="b"))
    # At 5 tenant b holds nothing and a holds 4: b goes first although a has waited for longer.
    assert simulate_jobs(jobs, ONE_NODE, policy, 100.0).started_s.tolist() == [0, 0, 10, 5]
    thrice = policy.model_copy(update={"quotas": {"a": Quota(guaranteed=0.75), "b": Quota(guaranteed=0.25)}})
    jobs = submissions(Job(0, 2, 10), Job(0, 4, 5), Job(0, 2, 10, tenant="b"), Job(1, 2, 9), Job(2, 2, 9, tenant="b"))
    # Tenant a holds 2 of 6, b 2 of 2.
    assert simulate_jobs(jobs, ONE_NODE, thrice, 100.0).started_s.tolist() == [0, 0, 0, 5, 5]


def test_a_tenant_at_its_most_waits_without_holding_up_others() -> None:
    policy = FIFO.model_copy(update={"quotas": {"a": Quota(most=0.5)}})
    jobs = submissions(Job(0, 4, 10), Job(1, 4, 10), Job(2, 4, 10, tenant="b"), Job(3, 5, 1))
    runs = simulate_jobs(jobs, ONE_NODE, policy, 100.0)
    assert np.nan_to_num(runs.started_s, nan=-1).tolist() == [0, 10, 2, -1]
    assert STATES[runs.state[3]] == "refused"


def test_high_priority_stops_low_which_goes_on_from_its_last_checkpoint() -> None:
    policy = FIFO.model_copy(update={"order": "priority", "preemption": "priority", "preempt_after": 0.0})
    jobs = submissions(Job(0, 8, 100), Job(25, 8, 10, priority=1))
    runs = simulate_jobs(jobs, ONE_NODE, policy, 1000.0, resume=Resume(interval_s=10.0, restart_s=3.0))
    # 25 s of work, 20 of them saved; restart of 3 s at 35, then 80 s.
    assert runs.ended_s.tolist() == [118, 35]
    assert runs.preemptions.tolist() == [1, 0]
    assert (runs.lost_s[0], runs.overhead_s[0], runs.held_s[0], runs.waited_s[0]) == (5, 3, 108, 10)


def test_nobody_is_preempted_before_his_time() -> None:
    policy = FIFO.model_copy(update={"order": "priority", "preemption": "priority", "preempt_after": 30.0})
    jobs = submissions(Job(0, 8, 100), Job(25, 8, 10, priority=1))
    runs = simulate_jobs(jobs, ONE_NODE, policy, 1000.0)
    assert runs.started_s.tolist() == [0, 30]
    assert runs.lost_s[0] == 30


def test_no_more_are_preempted_than_needed() -> None:
    policy = FIFO.model_copy(update={"order": "priority", "preemption": "priority", "preempt_after": 0.0})
    jobs = submissions(Job(0, 8, 100), Job(1, 8, 100), Job(2, 8, 100), Job(3, 8, 100), Job(10, 16, 5, priority=1))
    runs = simulate_jobs(jobs, FOUR_NODES, policy, 1000.0)
    # Those that started last.
    assert runs.preemptions.tolist() == [0, 0, 1, 1, 0]


def test_a_tenant_takes_its_guarantee_back_from_those_who_borrowed() -> None:
    quotas = {"a": Quota(guaranteed=0.5), "b": Quota(guaranteed=0.5)}
    policy = FIFO.model_copy(update={"preemption": "quota", "preempt_after": 0.0, "quotas": quotas})
    jobs = submissions(
        Job(0, 4, 50), Job(1, 2, 50), Job(2, 2, 50), Job(10, 4, 20, tenant="b"), Job(11, 1, 9, tenant="b")
    )
    runs = simulate_jobs(jobs, ONE_NODE, policy, 1000.0)
    # b holds its half from 10 on; its fifth accelerator would be borrowed, and nobody is stopped for that.
    assert runs.started_s.tolist() == [0, 1, 2, 10, 30]
    assert runs.preemptions.tolist() == [0, 1, 1, 0, 0]


def test_without_quotas_nothing_is_taken_back() -> None:
    jobs = submissions(Job(0, 8, 50), Job(10, 4, 20, tenant="b"))
    assert simulate_jobs(jobs, ONE_NODE, FIFO, 1000.0).preemptions.sum() == 0


def test_a_failure_stops_the_gang_after_its_detection_and_the_node_comes_back_repaired() -> None:
    jobs = submissions(Job(0, 16, 100), Job(1, 16, 10))
    machines = replace(FOUR_NODES, num_nodes=3)
    runs = simulate_jobs(
        jobs, machines, FIFO, 1000.0, incident(50.0, node=1, detection=5.0, repair=20.0), Resume(20.0, 2.0, 0.5)
    )
    # Work until 50, saved until 40; seen at 55; one node is left besides node 2, so it goes on at 55 on nodes 0 and 2
    # with 2 + 2 * 0.5 s of restart, and has 60 s left.
    assert runs.ended_s[0] == 55 + 3 + 60
    assert runs.interruptions.tolist() == [1, 0]
    assert (runs.lost_s[0], runs.overhead_s[0]) == (10, 5 + 3)
    assert runs.held_s[0] == 118
    assert runs.started_s[1] == 118
    served = runs.series.in_service
    assert served.min() == 16
    assert np.isclose(served.mean(), 24 - 8 * 25 / 1000)


def test_a_job_waits_for_the_repair_where_too_few_nodes_are_left() -> None:
    runs = simulate_jobs(
        submissions(Job(0, 8, 100)), ONE_NODE, FIFO, 1000.0, incident(50.0, detection=5.0, repair=20.0)
    )
    assert runs.ended_s[0] == 75 + 100
    assert runs.waited_s[0] == 20


def test_an_incident_that_reaches_no_node_stops_the_largest_job_there() -> None:
    jobs = submissions(Job(0, 1, 100), Job(0, 4, 100))
    runs = simulate_jobs(jobs, ONE_NODE, FIFO, 1000.0, incident(50.0, num_nodes=0, detection=1.0), Resume(10.0))
    assert runs.interruptions.tolist() == [0, 1]
    assert runs.ended_s.tolist() == [100, 101]


def test_slow_and_corrupt_events() -> None:
    jobs = submissions(Job(0, 8, 100))
    slow = incident(50.0, effect=1, speed=0.5, lasts=20.0, detection=60.0)
    runs = simulate_jobs(jobs, ONE_NODE, FIFO, 1000.0, slow)
    assert runs.ended_s[0] == 110
    assert runs.overhead_s[0] == 10
    seen = incident(50.0, effect=1, speed=0.5, detection=20.0, repair=5.0)
    # 60 s done at 70, all of it saved then; node out until 75.
    assert simulate_jobs(jobs, ONE_NODE, FIFO, 1000.0, seen, Resume(10.0)).ended_s[0] == 75 + 40
    corrupt = incident(55.0, effect=2, detection=20.0, num_nodes=0)
    assert simulate_jobs(jobs, ONE_NODE, FIFO, 1000.0, corrupt, Resume(10.0)).ended_s[0] == 75 + 50


def test_nodes_drain_before_maintenance() -> None:
    machines = replace(ONE_NODE, maintenance=(Maintenance(100.0, 120.0, 0, 1, drain_s=50.0),))
    jobs = submissions(Job(0, 2, 110), Job(60, 2, 50), Job(61, 2, 30), Job(125, 2, 10))
    runs = simulate_jobs(jobs, machines, EASY, 1000.0, resume=Resume(interval_s=30.0))
    # The first started before the drain, is stopped at 100 with 90 s saved; the second would run into it and waits.
    assert runs.started_s.tolist() == [0, 120, 61, 125]
    assert runs.preemptions.tolist() == [1, 0, 0, 0]
    assert runs.ended_s[0] == 140


def test_jobs_are_cut_at_the_longest_run_and_lose_nothing() -> None:
    policy = FIFO.model_copy(update={"longest": 40.0})
    jobs = submissions(Job(0, 8, 100), Job(1, 8, 10))
    runs = simulate_jobs(jobs, ONE_NODE, policy, 1000.0, resume=Resume(1000.0, restart_s=5.0))
    # It keeps its place, before the other: 0-40, 40-80 (35 done), 80-110.
    assert runs.ended_s.tolist() == [110, 120]
    assert runs.lost_s[0] == 0
    assert runs.overhead_s[0] == 10


def test_without_requeue_a_stopped_job_has_failed() -> None:
    policy = FIFO.model_copy(update={"requeue": False})
    runs = simulate_jobs(submissions(Job(0, 8, 100)), ONE_NODE, policy, 1000.0, incident(50.0), Resume(20.0))
    assert STATES[runs.state[0]] == "failed"
    assert (runs.ended_s[0], runs.productive_s[0], runs.lost_s[0]) == (50, 40, 10)


def test_parts_of_an_accelerator_share_one() -> None:
    machines = Machines(num_nodes=1, accelerators_per_node=2, nodes_per_leaf=1)
    jobs = submissions(Job(0, 0.5, 10), Job(0, 0.4, 20), Job(0, 0.2, 5), Job(1, 1, 10), Job(2, 0.1, 3))
    runs = simulate_jobs(jobs, machines, EASY, 100.0)
    # The first two share one, 0.2 needs another until 5; a whole one is free then; 0.1 fits beside the first two.
    assert runs.started_s.tolist() == [0, 0, 0, 5, 2]
    assert np.isclose(runs.series.busy.mean() * 100, 0.5 * 10 + 0.4 * 20 + 0.2 * 5 + 10 + 0.1 * 3)


def test_fragmentation_is_what_no_job_of_a_node_can_have() -> None:
    machines = replace(FOUR_NODES, num_nodes=2)
    jobs = submissions(Job(0, 2, 100), Job(0, 2, 100))
    packed = simulate_jobs(jobs, machines, FIFO.model_copy(update={"placement": "packed"}), 100.0)
    spread = simulate_jobs(jobs, machines, FIFO.model_copy(update={"placement": "spread"}), 100.0)
    assert np.isclose(packed.series.fragmented.mean(), 4)
    assert np.isclose(spread.series.fragmented.mean(), 12)


def test_a_job_larger_than_a_node_takes_whole_nodes_and_one_larger_than_the_cluster_is_refused() -> None:
    runs = simulate_jobs(submissions(Job(0, 12, 10), Job(0, 33, 10)), FOUR_NODES, FIFO, 100.0)
    assert runs.taken.tolist() == [16, 40]
    assert [STATES[one] for one in runs.state] == ["completed", "refused"]


def test_what_runs_and_waits_at_the_end_is_booked() -> None:
    runs = simulate_jobs(submissions(Job(0, 8, 1000), Job(10, 8, 5)), ONE_NODE, FIFO, 100.0)
    assert [STATES[one] for one in runs.state] == ["running", "waiting"]
    assert (runs.held_s[0], runs.productive_s[0], runs.waited_s[1]) == (100, 100, 90)


def test_rules_of_ones_own() -> None:
    jobs = submissions(Job(0, 8, 10), Job(1, 8, 10), Job(2, 2, 10))
    smallest_first = replace(rules_of(FIFO, jobs), order=lambda jobs: jobs.accelerators)
    assert simulate_jobs(jobs, ONE_NODE, smallest_first, 100.0).started_s.tolist() == [0, 20, 10]
