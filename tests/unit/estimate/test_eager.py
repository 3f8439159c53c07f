"""Training in fp32, and software without fused kernels."""

from dataclasses import replace

import numpy as np
import pytest

from myriad.estimate.device import activation_bytes
from myriad.estimate.kernels import eager_s
from myriad.estimate.layers import cells_of
from myriad.estimate.memory import block_input_bytes
from myriad.estimate.operations import head_operations
from myriad.estimate.shop import Shop
from myriad.spec.calibration import EagerPasses
from myriad.spec.layout import Layout, LayoutTable
from small_setting import DEVICE, WORK, cells, dense_model, one, setting, stack

PASSES = ((1e6, 4.0), (1e8, 1.0))


def test_activations_of_fp32_take_twice_the_bytes():
    assert activation_bytes("fp32") == 2 * activation_bytes("bf16") == 2 * activation_bytes("fp8")
    layouts = LayoutTable.from_layouts([Layout()])
    model = dense_model()
    narrow, wide = (
        one(block_input_bytes(model, cells_of(layouts, WORK.model_copy(update={"precision": precision}))))
        for precision in ("bf16", "fp32")
    )
    assert wide == 2 * narrow


@pytest.mark.parametrize(("size", "passes"), [(1e6, 4.0), (1e7, 2.0), (1e8, 1.0), (1e9, 1.0)])
def test_between_measured_sizes_logarithms_are_linear(size, passes):
    assert one(eager_s(size, PASSES, 1e9)) == pytest.approx(size * passes / 1e9)


def test_below_the_smallest_size_the_time_stays_and_nothing_takes_none():
    assert one(eager_s(1e3, PASSES, 1e9)) == one(eager_s(1e6, PASSES, 1e9))
    assert one(eager_s(0.0, PASSES, 1e9)) == 0.0


def test_only_eager_software_reads_the_table():
    measured = replace(DEVICE, eager={"loss": EagerPasses(forward=((1.0, 1e3),), backward=((1.0, 1e3),))})
    fused, eager = (
        head_operations(dense_model(), cells(), Shop(measured, stack(eager=on), WORK))[1] for on in (False, True)
    )
    assert one(eager.forward_s) > 100 * one(fused.forward_s)
    assert one(eager.backward_s) > 100 * one(fused.backward_s)


def test_gathered_logits_are_computed_by_every_rank():
    cut, whole = (
        head_operations(dense_model(), cells(tp=4), Shop(DEVICE, stack(gathers_logits=on), WORK))[1]
        for on in (False, True)
    )
    assert one(whole.forward_bytes) == pytest.approx(4 * one(cut.forward_bytes))


def test_copies_of_shards_are_rows_of_an_embedding_where_that_was_measured():
    """20 MB in four layers; a copy reads and writes, and 10 MB take two passes."""
    fast = replace(DEVICE, memory_bytes_per_s=1e9)
    measured = replace(fast, eager={"embedding": EagerPasses(forward=((1e6, 4.0), (1e8, 1.0)))})
    made = {"copies_shards": True, "eager": True}
    cases = [(fast, {}, 0.0), (fast, made, 2 * 2e7 / 1e9), (measured, made, 4 * 2.0 * 1e7 / 1e9)]
    for device, software, expected_s in cases:
        four_layers = setting(dense_model(layers=4), device=device, stack=stack(**software))
        assert one(four_layers.shard_copies_s(np.array([2e7]))) == pytest.approx(expected_s)
