"""The books of runs whose parts can be added up by hand."""

import pytest

from myriad.run.ledger import Ledger, ledger, usual_step_s
from myriad.run.lives import tokens_lost
from myriad.spec.ledger import CATEGORIES
from run_histories import History, killed_twice


def books(run: History, ended: bool = True) -> Ledger:
    return ledger(run.lives, run.told, run.start_s, run.time_s, ended)


def test_a_run_killed_twice_adds_up_by_hand() -> None:
    found = books(killed_twice())
    assert found.seconds == pytest.approx(
        {
            "productive": 50.0, "checkpoint": 1.0, "lost_work": 10.0, "detection": 3.0 + 4.0 + 2.0, "diagnosis": 1.0,
            "restart": 15.0, "waiting": 30.0, "degraded": 0.0, "maintenance": 0.0,
        }
    )  # fmt: skip
    assert tuple(found.seconds) == CATEGORIES
    assert sum(found.seconds.values()) == pytest.approx(found.wall_s, abs=1e-6)
    assert found.wall_s == pytest.approx(116.0)
    assert len(found.interruptions_s) == 2
    assert found.restarts_s == pytest.approx((5.0, 5.0))
    assert found.usual_step_s == 2.0


def test_steps_behind_a_restart_are_lost_and_the_rest_is_kept_once() -> None:
    records = killed_twice().steps
    assert [(one.life, one.step) for one in records if not one.kept] == [
        ("000.000", 11), ("000.000", 12), ("000.000", 13), ("000.001", 21), ("000.001", 22),
    ]  # fmt: skip
    assert sorted(one.step for one in records if one.kept) == list(range(1, 26))
    assert tokens_lost(records) == 5000


def test_a_restart_behind_an_earlier_one_loses_what_both_left() -> None:
    run = History()
    run.begin("000.000")
    run.train("000.000", 1, 8)
    run.begin("000.001", 6)
    run.train("000.001", 7, 9)
    run.begin("000.002", 2)  # the newest checkpoint was broken
    run.train("000.002", 3, 10)
    records = run.steps
    assert sorted(one.step for one in records if one.kept) == list(range(1, 11))
    assert {(one.life, one.step) for one in records if one.kept and one.life != "000.002"} == {
        ("000.000", 1), ("000.000", 2),
    }  # fmt: skip


def test_slow_steps_count_beyond_the_median_only_while_a_rank_is_named() -> None:
    run = History()
    run.begin("000.000")
    run.train("000.000", 1, 10)
    run.train("000.000", 11, 12, step_s=5.0)
    run.tell("slow-rank", rank=1)
    run.train("000.000", 13, 16, step_s=5.0)
    run.tell("slow-recovered", rank=1)
    run.train("000.000", 17, 25)
    run.finish("000.000", 25)
    found = books(run)
    assert found.usual_step_s == 2.0
    assert found.seconds["degraded"] == pytest.approx(4 * 3.0)
    assert found.seconds["productive"] == pytest.approx(19 * 2.0 + 2 * 5.0 + 4 * 2.0)


def test_a_hang_is_detected_from_the_last_step_on() -> None:
    run = History()
    run.submit()
    run.begin("000.000")
    run.train("000.000", 1, 4)
    run.tell("hang", 60.0)
    run.tell("restart", 2.0)
    run.submit(1)
    run.begin("001.000")
    run.train("001.000", 1, 4)
    found = books(run, ended=False)
    assert (found.seconds["detection"], found.seconds["diagnosis"]) == pytest.approx((60.0, 2.0))
    assert found.seconds["lost_work"] == pytest.approx(8.0)


def test_the_step_under_way_counts_as_productive_until_somebody_says_otherwise() -> None:
    run = History()
    run.begin("000.000")
    run.train("000.000", 1, 4)
    run.now_s += 1.5
    assert books(run, ended=False).seconds["productive"] == pytest.approx(9.5)
    run.tell("exit")
    found = books(run, ended=False)
    assert (found.seconds["productive"], found.seconds["detection"]) == pytest.approx((8.0, 1.5))


def test_ranks_that_die_before_a_step_cost_restart_detection_and_diagnosis() -> None:
    run = History()
    run.submit()
    run.begin("000.000", start_s=4.0)
    run.tell("exit", 1.0)
    run.tell("restart", 2.0)
    run.submit(1)
    run.begin("001.000", start_s=4.0)
    run.train("001.000", 1, 3)
    run.finish("001.000", 3)
    found = books(run)
    assert found.seconds["restart"] == pytest.approx(8.0)
    assert (found.seconds["detection"], found.seconds["diagnosis"]) == pytest.approx((1.0, 2.0))
    assert not found.interruptions_s, "it had not trained"


def test_an_asked_end_is_no_interruption() -> None:
    run = History()
    run.submit()
    run.begin("000.000")
    run.train("000.000", 1, 3)
    run.tell("cancel")
    run.tell("cancelled", 7.0)
    found = books(run)
    assert found.seconds["maintenance"] == pytest.approx(7.0)
    assert not found.interruptions_s


def test_steps_after_an_asked_end_are_training_and_the_rest_is_maintenance() -> None:
    run = History()
    run.submit()
    run.begin("000.000")
    run.train("000.000", 1, 3)
    run.tell("cancel")
    run.train("000.000", 4, 6)
    run.tell("cancelled", 7.0)
    found = books(run)
    assert (found.seconds["productive"], found.seconds["maintenance"]) == pytest.approx((12.0, 7.0))
    assert not found.interruptions_s


def test_a_run_cancelled_in_the_queue_waited_until_somebody_asked() -> None:
    run = History()
    run.tell("submitted", 1.0, submission=0)
    run.tell("cancel", 50.0)
    run.tell("cancelled", 3.0)
    found = books(run)
    assert found.seconds == dict.fromkeys(CATEGORIES, 0.0) | {"restart": 1.0, "waiting": 50.0, "maintenance": 3.0}


def test_a_finished_run_whose_ranks_do_not_say_so_was_not_interrupted() -> None:
    run = History()
    run.submit()
    run.begin("000.000")
    run.train("000.000", 1, 3)
    run.tell("finished", 2.0)
    assert not books(run).interruptions_s


def test_a_first_step_that_counts_from_before_the_ranks_were_ready_is_cut() -> None:
    run = History()
    run.submit()
    run.begin("000.000", start_s=20.0)
    for start in run.events["000.000"]:
        run.events["000.000"] = [start.model_copy(update={"start_s": None})]
    run.train("000.000", 1, 1)
    run.events["000.000"][1] = run.events["000.000"][1].model_copy(update={"step_s": 15.0})
    found = books(run, ended=False)
    assert (found.seconds["restart"], found.seconds["productive"]) == pytest.approx((20.0, 2.0))


def test_a_submission_whose_answer_was_lost_waits_from_when_it_was_found() -> None:
    run = History()
    run.tell("adopted", 1.0, submission=0)
    run.tell("running", 500.0, submission=0)
    run.begin("000.000", start_s=4.0)
    run.tell("adopted", submission=0)  # too late to have waited
    run.now_s += 6.0
    run.train("000.000", 1, 2)
    found = books(run, ended=False)
    assert (found.seconds["waiting"], found.seconds["restart"]) == pytest.approx((500.0, 11.0))


def test_a_run_of_which_nothing_is_known_is_all_start() -> None:
    found = ledger((), (), 100.0, 130.0, ended=False)
    assert found.seconds["restart"] == 30.0
    assert found.usual_step_s is None


def test_a_clock_that_jumps_back_makes_nothing_negative() -> None:
    run = History()
    run.begin("000.000")
    run.train("000.000", 1, 5)
    run.now_s -= 3600.0
    run.train("000.000", 6, 8)
    run.now_s += 3600.0
    run.finish("000.000", 8)
    found = books(run)
    assert all(value >= 0.0 for value in found.seconds.values())
    assert sum(found.seconds.values()) == pytest.approx(found.wall_s)


def test_the_usual_step_leaves_out_the_first_of_each_life() -> None:
    run = History()
    run.begin("000.000")
    run.train("000.000", 1, 2, step_s=9.0)
    run.train("000.000", 3, 5)
    assert usual_step_s(run.steps) == 2.0
    assert usual_step_s(()) is None
