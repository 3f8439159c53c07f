import math
from dataclasses import replace

import pytest

from myriad.estimate.goodput.expected import PARTS, Gang, expected, spares_for
from myriad.estimate.goodput.interruptions import Interruption, parted, survives
from myriad.estimate.goodput.lost import CheckpointTimes

LEVEL = CheckpointTimes("storage", 600.0, 10.0, 10.0, 30.0)
GANG = Gang(100, 10, (LEVEL,), restart_s=270.0)
STOP = Interruption("stop", 1 / 5000.0, nodes=0)


def ettr(gang: Gang, *causes: Interruption) -> float:
    return float(expected(gang, causes).ettr)


def test_one_cause_is_dalys_renewal_with_restarts_that_fail():
    # Daly 2006, equation 20: wall time per interval is M exp(R / M) (exp((t + d) / M) - 1).
    wall_s = 5000.0 * math.exp(300.0 / 5000.0) * math.expm1(610.0 / 5000.0)
    assert ettr(GANG, STOP) == pytest.approx(600.0 / wall_s, rel=1e-6)


def test_without_failures_only_checkpoints_cost():
    parts = expected(GANG, ()).parts
    assert float(parts["checkpoint"]) == pytest.approx(10.0 / 610.0)
    assert sum(float(parts[name]) for name in PARTS) == pytest.approx(1.0)


def test_slow_machines_hold_the_job_back_until_found_and_then_stop_it():
    slow = Interruption("slow", 1e-5, "slow", 900.0, 100.0, 3600.0, speed=0.5)
    left = replace(slow, repaired=0.0)
    clean = ettr(GANG)
    assert ettr(GANG, left) == pytest.approx(clean * (1 - 1e-5 * 1000.0 * 0.5), rel=1e-3)
    assert ettr(GANG, slow) < ettr(GANG, left)
    assert ettr(GANG, replace(left, lasts_s=10.0)) > ettr(GANG, left)


def test_corruption_costs_all_that_was_trained_until_it_showed():
    soon, late = (Interruption("wrong", 1e-6, "corrupt", found_s, 0.0, 0.0) for found_s in (0.0, 36_000.0))
    assert ettr(GANG, soon) - ettr(GANG, late) == pytest.approx(36_000.0 * 1e-6, rel=0.05)


def test_copies_survive_by_place():
    node, leaf = (parted([Interruption("x", 1.0, repair_s=60.0, nodes=nodes)])[0] for nodes in (1, 32))
    process = parted([Interruption("x", 1.0, nodes=0)])[0]
    wrong = parted([Interruption("x", 1.0, "corrupt", nodes=1)])[0]
    assert [survives("peer-memory", one) for one in (process, node, leaf, wrong)] == [True, True, False, False]
    assert [survives("node-disk", one) for one in (process, node, leaf, wrong)] == [True, False, False, True]
    assert all(survives("storage", one) for one in (process, node, leaf, wrong))


def test_too_few_spares_wait_or_run_on_smaller():
    breaks = Interruption("node", 1 / 5000.0, repair_s=20_000.0)
    waits = expected(replace(GANG, spare_nodes=2), [breaks])
    assert float(waits.parts["waiting"]) > 0.5
    elastic = expected(replace(GANG, spare_nodes=2, mode="elastic", replica_nodes=10), [breaks])
    assert float(elastic.parts["waiting"]) == 0.0
    assert 0.0 < float(elastic.parts["degraded"]) < 0.2
    enough = spares_for(GANG, [breaks], 1e-3)
    assert enough is not None
    assert float(expected(replace(GANG, spare_nodes=enough), [breaks]).parts["waiting"]) <= 1e-3
    assert float(expected(replace(GANG, spare_nodes=enough - 1), [breaks]).parts["waiting"]) > 1e-3


def test_replicas_that_go_on_alone_lose_little():
    breaks = Interruption("node", 1 / 2000.0, detection_s=60.0, repair_s=600.0)
    replica = replace(GANG, mode="replica", replica_nodes=10, replica_stall_s=5.0, heal_s=30.0)
    assert ettr(GANG, breaks) < 0.75 < 0.93 < ettr(replica, breaks)
    everybody = Interruption("storage", 1 / 2000.0, nodes=0, everybodys=True)
    assert ettr(replica, everybody) == pytest.approx(ettr(GANG, everybody))
