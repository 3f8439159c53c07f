import math

import pytest

from myriad.estimate.goodput.spares import Repairs, missing_nodes, under_repair, waiting_fraction


def binomial_tail(number: int, share: float, above: int) -> float:
    chances = (math.comb(number, k) * share**k * (1 - share) ** (number - k) for k in range(above + 1))
    return 1.0 - sum(chances)


def test_with_a_crew_for_each_it_is_the_binomial_of_k_out_of_n():
    # Each of 20 machines fails at 1/1000 s and is repaired in 100 s: out for 1/11 of the time.
    found = waiting_fraction(20, 2, [Repairs(20 / 1000, 100.0, 1)], None)
    assert found == pytest.approx(binomial_tail(20, 1 / 11, 2), rel=1e-9)


def test_with_one_crew_it_is_the_repairman():
    # Machine interference with 3 machines, rates 1 and repair 1: p = 1/16 * (1, 3, 6, 6).
    chances = under_repair(3, [Repairs(3.0, 1.0, 1)], 1, 3)
    assert chances == pytest.approx([1 / 16, 3 / 16, 6 / 16, 6 / 16])


def test_repairs_of_several_machines_take_them_together():
    single, leaf = Repairs(1e-4, 1000.0, 1), Repairs(1e-5, 1000.0, 32)
    chances = under_repair(10_000, [single, leaf], None, 40)
    poisson_leaf = 0.01
    assert chances[32:34].sum() == pytest.approx(poisson_leaf, rel=0.02)
    assert waiting_fraction(10_000, 31, [single, leaf], None) == pytest.approx(poisson_leaf, rel=0.02)
    assert waiting_fraction(10_000, 40, [single, leaf], None) < 1e-4


def test_nothing_waits_where_nothing_is_repaired():
    assert waiting_fraction(10, 0, [], None) == 0.0
    assert missing_nodes(10, 0, 1, [], None) == 0.0


def test_missing_machines_count_in_whole_replicas():
    repairs = [Repairs(0.5 / 1000, 1000.0, 1)]
    few, whole = (missing_nodes(10_000, 0, replica, repairs, None) for replica in (1, 16))
    assert few == pytest.approx(0.5, rel=0.01)
    assert whole == pytest.approx(16 * (1 - math.exp(-0.5)), rel=0.01)
