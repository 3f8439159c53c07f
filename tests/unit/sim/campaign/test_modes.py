"""Jobs that go on with fewer replicas, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from campaigns import STORAGE, campaign, cluster, event, incidents, ledger, log
from myriad.sim.campaign import run_campaign

REPLICA = campaign(mode="replica", replica_stall_s=3.0, heal_s=20.0)


def test_an_elastic_job_shrinks_and_grows_once_staying_small_cost_as_much_as_growing():
    run = run_campaign(campaign(mode="elastic"), cluster(4), incidents(event(250.0)))
    # Three of four from 260; the node is back at 300; a restart of 10 s is a quarter of 40 s.
    assert ledger(run) == {"productive": 1000.0, "lost_work": 50.0, "restart": 20.0, "degraded": 20.0}
    assert log(run) == [
        (0.0, "running"), (250.0, "failure"), (250.0, "shrunk"), (250.0, "restart"), (260.0, "running"),
        (300.0, "repaired"), (340.0, "grown"), (340.0, "restart"), (350.0, "running"), (1090.0, "finished"),
    ]  # fmt: skip
    assert run.cost_s.tolist() == [80.0, 0.0]


def test_an_elastic_job_grows_at_a_restart_that_comes_before():
    failures = incidents(event(250.0), event(320.0, 1, num_nodes=0, repair_s=0.0))
    run = run_campaign(campaign(mode="elastic"), cluster(4), failures)
    # From 260 to 320 at three quarters, all of it lost.
    assert ledger(run) == {"productive": 1000.0, "lost_work": 95.0, "restart": 20.0, "degraded": 15.0}


def test_growing_saves_first_where_that_takes_less_than_it_saves():
    level = replace(STORAGE, write_s=30.0, read_s=5.0)
    run = run_campaign(campaign(mode="elastic", levels=(level,)), cluster(4), incidents(event(250.0)))
    # 265 to 480 at three quarters: (10 + 30 + 5) * 4 after 300. Its checkpoint of 465 is not readable, that of 365 is.
    assert ledger(run) == {
        "productive": 1000.0, "lost_work": 50.0, "checkpoint": 30.0, "restart": 30.0, "degraded": 215.0 / 4.0,
    }  # fmt: skip


def test_elastic_jobs_shrink_by_whole_replicas():
    run = run_campaign(campaign(mode="elastic", replica_nodes=2), cluster(4), incidents(event(250.0, repair_s=1e5)))
    assert ledger(run) == {"productive": 1000.0, "lost_work": 50.0, "restart": 10.0, "degraded": 800.0}


def test_an_elastic_job_takes_spares_first():
    run = run_campaign(campaign(mode="elastic"), cluster(5), incidents(event(250.0)))
    assert ledger(run) == {"productive": 1000.0, "lost_work": 50.0, "restart": 10.0}


def test_nodes_must_be_whole_replicas():
    with pytest.raises(ValueError, match="4 nodes are no whole number of replicas of 3"):
        run_campaign(campaign(mode="elastic", replica_nodes=3), cluster(4), incidents())


def test_replicas_go_on_without_the_broken_one_until_it_has_healed():
    failure = event(250.0, detection_s=5.0, diagnosis_s=10.0)
    run = run_campaign(REPLICA, cluster(4), incidents(failure))
    # One step lost; a stall to 253; repaired at 315, restarted and healed at 345, a stall to 348.
    assert ledger(run) == {"productive": 1000.0, "lost_work": 1.0, "restart": 6.0, "degraded": 92.0 / 4.0}
    assert log(run) == [
        (0.0, "running"), (250.0, "failure"), (250.0, "shrunk"), (315.0, "repaired"), (345.0, "grown"),
        (1030.0, "finished"),
    ]  # fmt: skip
    assert run.event_lost_s[1] == 1.0
    assert run.cost_s.tolist() == [30.0, 0.0]


def test_a_spare_stands_in_once_it_is_known_which_node_is_broken():
    failure = event(250.0, detection_s=5.0, diagnosis_s=10.0)
    run = run_campaign(replace(REPLICA, swap_s=7.0), cluster(5), incidents(failure))
    # 265 + 7 + 10 + 20.
    assert ledger(run) == {"productive": 1000.0, "lost_work": 1.0, "restart": 6.0, "degraded": (302.0 - 253.0) / 4.0}


def test_a_replica_that_lost_only_processes_heals_on_its_own_nodes():
    failure = event(250.0, num_nodes=0, repair_s=0.0)
    run = run_campaign(replace(REPLICA, swap_s=7.0), cluster(4), incidents(failure))
    assert ledger(run) == {"productive": 1000.0, "lost_work": 1.0, "restart": 6.0, "degraded": (280.0 - 253.0) / 4.0}


def test_a_replica_that_breaks_while_it_heals_starts_over():
    spare = 4
    run = run_campaign(REPLICA, cluster(6), incidents(event(250.0), event(270.0, spare)))
    # On node 4 from 250, on node 5 from 270: healed at 300. The others do not notice.
    assert ledger(run) == {"productive": 1000.0, "lost_work": 1.0, "restart": 6.0, "degraded": 47.0 / 4.0}
    assert run.interruptions.tolist() == [2, 0]


def test_two_broken_replicas_make_one_where_nodes_are_short():
    both = incidents(event(250.0, 0, repair_s=1e5), event(250.0, 2, repair_s=1e5))
    run = run_campaign(replace(REPLICA, replica_nodes=2, replica_stall_s=0.0, nodes=6), cluster(6), both)
    # Nodes 1 and 3 are whole: one of three replicas from 250 to 280, two of three from then on.
    worked_s = 250.0 - 1.0 + 30.0 / 3.0
    assert ledger(run)["degraded"] == pytest.approx(20.0 + (1000.0 - worked_s) / 2.0)


def test_without_any_replica_left_the_job_restarts_from_a_checkpoint():
    run = run_campaign(REPLICA, cluster(4), incidents(event(250.0, num_nodes=4)))
    assert ledger(run) == {"productive": 1000.0, "lost_work": 50.0, "waiting": 50.0, "restart": 10.0}


def test_replicas_that_are_left_restart_without_the_others():
    failures = [event(250.0, node, repair_s=1e5) for node in (0, 1, 2)]
    run = run_campaign(REPLICA, cluster(4), incidents(*failures, event(251.0, 3, repair_s=49.0)))
    # All broken at 251; one is back at 300, and works alone from 310. The stall goes on until then.
    assert ledger(run) == {
        "productive": 1000.0, "lost_work": 50.0, "restart": 1.0 + 10.0, "waiting": 49.0, "degraded": 2400.0,
    }  # fmt: skip


def test_a_step_is_lost_only_as_far_as_it_was_not_saved():
    run = run_campaign(REPLICA, cluster(5), incidents(event(200.25)))
    assert ledger(run)["lost_work"] == 0.25
