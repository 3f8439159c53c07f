"""What slows a job and what spoils its state, by hand."""

from __future__ import annotations

from dataclasses import replace

from campaigns import STORAGE, campaign, cluster, event, incidents, ledger, log
from myriad.sim.campaign import Level, run_campaign


def slow(start_s, node=0, **changes):
    return event(start_s, node, **({"effect": "slow", "speed": 0.5, "detection_s": 1e4} | changes))


def corrupt(start_s, node=0, **changes):
    return event(start_s, node, **({"effect": "corrupt", "detection_s": 75.0, "diagnosis_s": 5.0} | changes))


def test_a_slow_event_that_ends_by_itself():
    run = run_campaign(campaign(), cluster(), incidents(slow(250.0, lasts_s=40.0)))
    assert ledger(run) == {"productive": 1000.0, "degraded": 20.0}
    assert log(run)[1:3] == [(250.0, "slow"), (290.0, "recovered")]
    assert run.interruptions.tolist() == [1, 0]
    assert run.cost_s.tolist() == [20.0, 0.0]


def test_of_several_slow_events_the_slowest_counts():
    both = incidents(slow(250.0, lasts_s=40.0), slow(270.0, 1, speed=0.8, lasts_s=40.0, cause=1))
    run = run_campaign(campaign(), cluster(), both)
    assert ledger(run)["degraded"] == 40.0 * 0.5 + 20.0 * (1.0 - 0.8)
    assert run.cost_s.tolist() == [20.0, 20.0 * (1.0 - 0.8)]


def test_a_slow_node_is_taken_out_when_it_is_found():
    found = slow(250.0, detection_s=10.0, diagnosis_s=10.0)
    run = run_campaign(campaign(swap_s=30.0), cluster(), incidents(found))
    # A stop by plan: saved, in no time here, and the spare is ready.
    assert ledger(run) == {"productive": 1000.0, "degraded": 10.0, "restart": 10.0}
    saved = campaign(levels=(replace(STORAGE, write_s=30.0),))
    assert ledger(run_campaign(saved, cluster(), incidents(found)))["checkpoint"] == 30.0
    not_worth_it = ledger(run_campaign(campaign(levels=(replace(STORAGE, write_s=60.0),)), cluster(), incidents(found)))
    assert not_worth_it == {"productive": 1000.0, "degraded": 10.0, "restart": 10.0, "lost_work": 60.0}


def test_a_slow_event_without_repair_ends_when_it_is_found():
    run = run_campaign(campaign(), cluster(4), incidents(slow(250.0, detection_s=30.0, repair_s=0.0)))
    assert ledger(run) == {"productive": 1000.0, "degraded": 15.0}


def test_a_slow_spare_slows_the_job_that_gets_it():
    both = incidents(slow(100.0, 4, lasts_s=250.0), event(250.0, repair_s=1e5))
    run = run_campaign(campaign(), cluster(), both)
    assert ledger(run) == {"productive": 1000.0, "lost_work": 50.0, "restart": 10.0, "degraded": 45.0}


def test_a_slow_node_that_fails_takes_its_slowness_along():
    run = run_campaign(campaign(), cluster(), incidents(slow(240.0), event(250.0)))
    assert ledger(run) == {"productive": 1000.0, "lost_work": 45.0, "restart": 10.0, "degraded": 5.0}


def test_a_slow_replica_is_swapped():
    job = campaign(mode="replica", replica_stall_s=3.0, heal_s=20.0)
    run = run_campaign(job, cluster(), incidents(slow(250.0, detection_s=20.0)))
    # At half speed to 270, a stall to 273, three of four to 300, a stall to 303; no step is lost.
    assert ledger(run) == {"productive": 1000.0, "degraded": 10.0 + 27.0 / 4.0, "restart": 6.0}


def test_spoiled_checkpoints_are_not_used():
    run = run_campaign(campaign(), cluster(), incidents(corrupt(250.0)))
    # That of 300 is spoiled.
    assert ledger(run) == {"productive": 1000.0, "lost_work": 125.0, "diagnosis": 5.0, "restart": 10.0}
    assert run.event_lost_s.tolist()[1] == 125.0
    assert log(run)[1:4] == [(250.0, "failure"), (325.0, "detected"), (330.0, "restart")]


def test_a_checkpoint_begun_before_the_corruption_is_clean():
    job = campaign(levels=(replace(STORAGE, write_s=60.0),))
    run = run_campaign(job, cluster(), incidents(corrupt(210.0)))
    assert ledger(run)["lost_work"] == 85.0


def test_memory_keeps_only_its_newest_checkpoint():
    memory = Level("peer-memory", 50.0, 0.0, 0.0, 0.0)
    late = run_campaign(campaign(levels=(memory,)), cluster(), incidents(corrupt(260.0)))
    assert ledger(late)["lost_work"] == 335.0
    soon = run_campaign(campaign(levels=(memory,)), cluster(), incidents(corrupt(260.0, detection_s=30.0)))
    assert ledger(soon)["lost_work"] == 40.0


def test_a_restart_between_from_a_spoiled_checkpoint_does_not_help():
    both = incidents(corrupt(250.0, 1, detection_s=200.0), event(320.0, 0))
    run = run_campaign(campaign(), cluster(), both)
    # Back to 300 at 330; at 450 it has 420 and the clean checkpoint 200. The node of 320 is back by then.
    assert ledger(run) == {"productive": 1000.0, "lost_work": 20.0 + 220.0, "diagnosis": 5.0, "restart": 20.0}


def test_corruptions_that_overlap_go_back_before_the_first():
    both = incidents(corrupt(150.0, 0, detection_s=300.0), corrupt(250.0, 1, detection_s=90.0))
    run = run_campaign(campaign(), cluster(7), both)
    # At 340 back to 200, which the first had spoiled; running at 355; at 450 back to 100.
    assert ledger(run)["lost_work"] == 140.0 + (295.0 - 100.0)


def test_an_older_corruption_spoils_what_a_later_one_holds_clean():
    both = incidents(corrupt(150.0, 0, detection_s=150.0), corrupt(250.0, 1, detection_s=200.0))
    run = run_campaign(campaign(), cluster(7), both)
    # At 300 back to 100, running at 315, a checkpoint at 415; at 450 that one is spoiled too, and 200 was all along.
    assert ledger(run)["lost_work"] == 200.0 + 135.0
