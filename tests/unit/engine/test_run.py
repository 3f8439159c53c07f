import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from myriad.engine import Local, run_points
from myriad.errors import LaunchError, SpecError


def doubled(number):
    sys.stdout.write("a function may print\n")
    return 2 * number


def process_of(_):
    return os.getpid()


def die_once(number, folder):
    """Kills its own worker on the first try of an odd number."""
    mark = Path(folder) / str(number)
    if number % 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(number):
    raise SpecError(f"not {number}")


@pytest.fixture(autouse=True)
def _workers_find_this_module(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])
    for function in (doubled, process_of, die_once, die, refuse):
        monkeypatch.setattr(function, "__module__", "test_run")
    monkeypatch.setitem(sys.modules, "test_run", sys.modules[__name__])


def results_of(points, function, workers=2):
    found = []
    run_points(points, function, Local(workers), lambda key, result: found.append((key, result)))
    return found


def test_every_point_comes_back_once():
    found = results_of({str(n): n for n in range(20)}, doubled)
    assert len(found) == 20
    assert dict(found) == {str(n): 2 * n for n in range(20)}


def test_nothing_to_do_starts_nothing():
    assert results_of({}, doubled) == []


def test_the_work_is_not_done_in_this_process():
    assert os.getpid() not in dict(results_of({str(n): n for n in range(4)}, process_of)).values()


def test_points_of_workers_that_die_are_given_to_others(tmp_path):
    found = results_of({str(n): n for n in range(6)}, partial(die_once, folder=str(tmp_path)))
    assert sorted(found) == [(str(n), n) for n in range(6)]


def test_a_point_that_kills_every_worker_ends_the_run():
    with pytest.raises(LaunchError, match="3 workers died on the same point, bad"):
        results_of({"bad": 1}, die)


def test_an_exception_of_the_function_comes_to_the_caller():
    with pytest.raises(SpecError, match="not 7"):
        results_of({"seven": 7}, refuse)


def test_an_interrupt_ends_all_workers():
    processes = []

    def interrupt(_, result):
        processes.append(result)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_points({str(n): n for n in range(50)}, process_of, Local(1), interrupt)
    (one,) = processes
    with pytest.raises(ProcessLookupError):
        os.kill(one, 0)
