"""Mode restart, by hand: what each phase takes, and when it starts over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from campaigns import STORAGE, campaign, cluster, event, incidents, ledger, log
from myriad.sim.campaign import Level, run_campaign


def test_without_failures_it_takes_its_work_and_its_checkpoints():
    level = replace(STORAGE, blocking_s=3.0, write_s=5.0)
    run = run_campaign(campaign(levels=(level,)), cluster(), incidents())
    assert run.finished
    # At 100, 200, ..., 900; none at the end.
    assert ledger(run) == {"productive": 1000.0, "checkpoint": 27.0}
    assert run.wall_s == 1027.0
    assert log(run) == [(0.0, "running"), (1027.0, "finished")]


def test_a_failure_costs_the_work_since_the_checkpoint_and_the_way_back():
    level = replace(STORAGE, read_s=7.0)
    failure = event(250.0, detection_s=5.0, diagnosis_s=20.0, cause=1)
    run = run_campaign(campaign(levels=(level,), swap_s=30.0), cluster(), incidents(failure))
    assert ledger(run) == {
        "productive": 1000.0, "lost_work": 50.0, "detection": 5.0, "diagnosis": 20.0, "restart": 30.0 + 10.0 + 7.0,
    }  # fmt: skip
    assert run.wall_s == 1122.0
    assert run.interruptions.tolist() == [0, 1]
    assert run.cost_s.tolist() == [0.0, 122.0]
    assert run.event_lost_s.tolist() == [0.0, 50.0] + [0.0] * 5
    assert log(run) == [
        (0.0, "running"), (250.0, "failure"), (255.0, "detected"), (275.0, "restart"), (322.0, "running"),
        (325.0, "repaired"), (1122.0, "finished"),
    ]  # fmt: skip


def test_without_a_spare_it_waits_for_the_repair():
    run = run_campaign(campaign(), cluster(4), incidents(event(250.0)))
    assert ledger(run) == {"productive": 1000.0, "lost_work": 50.0, "waiting": 50.0, "restart": 10.0}


def test_repairs_wait_for_crews_in_order():
    both = incidents(event(250.0, 0), event(250.0, 1))
    assert ledger(run_campaign(campaign(repair_crews=1), cluster(4), both))["waiting"] == 100.0
    assert ledger(run_campaign(campaign(repair_crews=2), cluster(4), both))["waiting"] == 50.0


def test_a_failure_during_a_restart_starts_it_again():
    run = run_campaign(campaign(), cluster(6), incidents(event(250.0), event(255.0, 1)))
    assert ledger(run) == {"productive": 1000.0, "lost_work": 50.0, "restart": 15.0}
    assert run.interruptions.tolist() == [2, 0]


def test_failures_in_one_stop_are_found_side_by_side():
    first, second = event(250.0, detection_s=20.0, diagnosis_s=30.0), event(260.0, 1, detection_s=15.0)
    run = run_campaign(campaign(), cluster(6), incidents(first, second))
    # Found at 270 and 275; diagnosed by 300.
    assert ledger(run) == {
        "productive": 1000.0, "lost_work": 50.0, "detection": 25.0, "diagnosis": 25.0, "restart": 10.0,
    }  # fmt: skip


def test_a_broken_spare_is_repaired_and_the_job_goes_on():
    run = run_campaign(campaign(), cluster(5), incidents(event(200.0, 4), event(210.0, 0)))
    # The spare is back at 250, while the job waits since 210.
    assert ledger(run) == {"productive": 1000.0, "lost_work": 10.0, "waiting": 40.0, "restart": 10.0}
    assert run.interruptions.tolist() == [1, 0]


def test_events_on_nodes_out_of_service_happen_to_nobody():
    again = [event(at_s, 0, effect=effect) for at_s, effect in [(251.0, "stop"), (270.0, "corrupt")]]
    run = run_campaign(campaign(), cluster(5), incidents(event(250.0), *again))
    assert ledger(run) == {"productive": 1000.0, "lost_work": 50.0, "restart": 10.0}
    assert run.interruptions.tolist() == [1, 0]


def test_a_failure_that_takes_no_node_only_restarts():
    run = run_campaign(campaign(swap_s=30.0), cluster(4), incidents(event(250.0, num_nodes=0, repair_s=0.0)))
    assert ledger(run) == {"productive": 1000.0, "lost_work": 50.0, "restart": 10.0}
    spare = incidents(event(250.0, 4, num_nodes=0, repair_s=0.0))
    assert ledger(run_campaign(campaign(), cluster(5), spare)) == {"productive": 1000.0}


def test_what_breaks_for_the_whole_pool_stops_every_job():
    failure = event(250.0, 4, num_nodes=0, repair_s=0.0, cause=1)
    run = run_campaign(campaign(), cluster(5, unit="pool"), incidents(failure))
    assert ledger(run) == {"productive": 1000.0, "lost_work": 50.0, "restart": 10.0}


def test_a_checkpoint_counts_once_it_can_be_read_back():
    level = replace(STORAGE, write_s=60.0)
    early = run_campaign(campaign(levels=(level,)), cluster(5), incidents(event(259.0)))
    late = run_campaign(campaign(levels=(level,)), cluster(5), incidents(event(260.0)))
    assert ledger(early)["lost_work"] == 159.0
    assert ledger(late)["lost_work"] == 60.0


def test_the_horizon_ends_it():
    run = run_campaign(campaign(horizon_s=500.0), cluster(4), incidents(event(250.0, repair_s=1e9)))
    assert not run.finished
    assert run.wall_s == 500.0
    assert ledger(run) == {"productive": 200.0, "lost_work": 50.0, "waiting": 250.0}


def test_nodes_that_join_later_are_waited_for():
    run = run_campaign(campaign(), cluster(4, joined_s=[0, 0, 0, 70]), incidents())
    assert ledger(run) == {"productive": 1000.0, "waiting": 70.0, "restart": 10.0}


@pytest.mark.parametrize(
    ("failure", "restored_s"),
    [
        (event(390.0, num_nodes=0, repair_s=0.0), 375.0),
        (event(390.0), 350.0),
        (event(390.0, num_nodes=2), 300.0),
    ],
)
def test_the_newest_checkpoint_that_survives_is_read(failure, restored_s):
    levels = (
        Level("storage", 300.0, 0.0, 0.0, 9.0),
        Level("peer-memory", 50.0, 0.0, 0.0, 2.0),
        Level("node-disk", 75.0, 0.0, 0.0, 4.0),
    )
    reads = {375.0: 4.0, 350.0: 2.0, 300.0: 9.0}
    run = run_campaign(campaign(levels=levels), cluster(6), incidents(failure))
    assert ledger(run)["lost_work"] == 390.0 - restored_s
    assert ledger(run)["restart"] == 10.0 + reads[restored_s]
