"""Operations go in turn through operands that no cache holds together."""

import math
from collections import Counter

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")

from myriad.measure import compute  # noqa: E402
from myriad.measure.rows import Row  # noqa: E402
from myriad.measure.sizes import TURN_BYTES, sizes  # noqa: E402

CALLS = 200


class ManyCalls:
    """A timer that times nothing."""

    device = "cpu"

    def row(self, operation, call, shape, direction="forward"):
        for _ in range(CALLS):
            call()
        return Row(operation, direction, *shape, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(("turn_bytes", "turns"), [(0.0, 1), (1e6, math.ceil(1e6 / (3 * 64 * 64 * 4))), (1e12, 64)])
def test_a_product_has_other_operands_in_every_turn(monkeypatch, turn_bytes, turns):
    seen = Counter()
    linear = compute.functional.linear

    def counted(x, weight):
        seen[x.data_ptr(), weight.data_ptr()] += 1
        return linear(x, weight)

    monkeypatch.setattr(compute.functional, "linear", counted)
    rows = list(compute._product(compute.Bench(ManyCalls(), torch.float32, turn_bytes), 64, 64, 64))
    assert [row.direction for row in rows] == ["forward", "backward"]
    assert len(seen) == turns
    assert max(seen.values()) - min(seen.values()) <= 1


def test_noise_is_as_wide_as_was_asked_for():
    noise = compute.Bench(ManyCalls(), torch.float32, 0.0).random(3, compute.NOISE_ELEMENTS)
    assert noise.shape == (3, compute.NOISE_ELEMENTS)
    assert noise.is_leaf
    assert noise.requires_grad
    assert abs(noise.std().item() - 1.0) < 0.05


def test_a_small_memory_is_not_filled():
    assert sizes(gpu=False, quick=False, memory_bytes=64e9).turn_bytes == TURN_BYTES
    assert sizes(gpu=False, quick=False, memory_bytes=64e6).turn_bytes == 1e6
