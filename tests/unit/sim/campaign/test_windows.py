"""Power caps and maintenance, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from campaigns import STORAGE, campaign, cluster, event, incidents, ledger
from myriad.sim.campaign import run_campaign
from myriad.sim.campaign.described import Windows


def window(start_s, end_s, speed=1.0, nodes_out=0):
    return windows((start_s, end_s, speed, nodes_out))


def windows(*rows):
    start_s, end_s, speed, nodes_out = zip(*rows, strict=True)
    return Windows(np.array(start_s, float), np.array(end_s, float), np.array(speed, float), np.array(nodes_out))


def test_a_power_cap_slows_the_job_and_is_nobodys_fault():
    run = run_campaign(campaign(windows=window(100.0, 200.0, speed=0.75)), cluster(), incidents())
    assert ledger(run) == {"productive": 1000.0, "degraded": 25.0}
    assert run.cost_s.tolist() == [0.0, 0.0]


def test_a_cap_and_a_slow_node_multiply_and_each_pays_its_part():
    slow = event(120.0, effect="slow", speed=0.5, lasts_s=20.0, detection_s=1e4)
    run = run_campaign(campaign(windows=window(100.0, 200.0, speed=0.75)), cluster(), incidents(slow))
    assert ledger(run)["degraded"] == 80.0 * 0.25 + 20.0 * (1.0 - 0.375)
    assert run.cost_s.tolist() == [10.0, 0.0]


def test_maintenance_of_all_nodes_stops_a_job_that_has_saved():
    job = campaign(windows=window(250.0, 350.0, nodes_out=4), levels=(replace(STORAGE, interval_s=1e4, write_s=20.0),))
    assert ledger(run_campaign(job, cluster(4), incidents())) == {
        "productive": 1000.0, "checkpoint": 20.0, "maintenance": 80.0, "restart": 10.0,
    }  # fmt: skip


def test_a_job_moves_off_nodes_in_maintenance_where_there_are_others():
    run = run_campaign(campaign(windows=window(250.0, 350.0, nodes_out=1)), cluster(5), incidents())
    assert ledger(run) == {"productive": 1000.0, "restart": 10.0}


def test_an_elastic_job_shrinks_for_maintenance():
    job = campaign(windows=window(250.0, 350.0, nodes_out=1), mode="elastic")
    run = run_campaign(job, cluster(4), incidents())
    assert ledger(run) == {"productive": 1000.0, "restart": 20.0, "degraded": 130.0 / 4.0}


def test_replicas_leave_for_maintenance_and_heal_after_it():
    job = campaign(windows=window(250.0, 350.0, nodes_out=1), mode="replica", replica_stall_s=3.0, heal_s=20.0)
    run = run_campaign(job, cluster(4), incidents())
    assert ledger(run) == {"productive": 1000.0, "restart": 6.0, "degraded": 127.0 / 4.0}


def test_a_node_repaired_during_maintenance_is_back_after_it():
    job = campaign(windows=window(260.0, 400.0, nodes_out=1))
    run = run_campaign(job, cluster(4), incidents(event(250.0)))
    # Repaired at 300: from then on only the window keeps it away.
    assert ledger(run) == {
        "productive": 1000.0, "lost_work": 50.0, "waiting": 50.0, "maintenance": 100.0, "restart": 10.0,
    }  # fmt: skip


def test_a_window_at_the_start_costs_no_restart():
    run = run_campaign(campaign(windows=window(0.0, 100.0, nodes_out=1)), cluster(5), incidents())
    assert ledger(run) == {"productive": 1000.0}


def test_windows_that_touch_are_one_stop():
    job = campaign(windows=windows((250.0, 300.0, 1.0, 2), (300.0, 350.0, 0.5, 1)))
    assert ledger(run_campaign(job, cluster(4), incidents())) == {
        "productive": 1000.0, "maintenance": 100.0, "restart": 10.0,
    }  # fmt: skip
    # With a spare it goes on at 300, and at half speed until 350.
    assert ledger(run_campaign(job, cluster(5), incidents())) == {
        "productive": 1000.0, "maintenance": 50.0, "restart": 10.0, "degraded": 20.0,
    }  # fmt: skip
