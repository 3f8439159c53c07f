from dataclasses import replace

import numpy as np
import pytest

from myriad import catalog
from myriad.estimate.device import Device, device
from myriad.estimate.kernels import attention_s, gemm_s, grouped_gemm_s, memory_bound_s


def chip(accelerator: str = "h100-sxm", precision: str = "bf16") -> Device:
    """An accelerator as it runs one kernel alone, whatever a long run leaves of that."""
    kernels, calibrated = catalog.kernels(accelerator)
    alone = kernels.model_copy(update={"training_share": {}, "attention_training_share": 1.0})
    return replace(device(catalog.accelerator(accelerator), alone, precision, calibrated), sustained_fraction=1.0)


def test_one_product_by_hand():
    h100 = chip()
    fit = h100.gemm
    m, n, k = 4096, 8192, 4096
    lost = fit.wave_loss * 132 * 128**2
    rate = 989e12 * fit.peak_fraction
    expected = 2 * (m * n + lost) * (k + fit.half_k) / rate + h100.launch_s
    assert gemm_s(m, n, k, h100) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("accelerator", "precision", "tflops"),
    # The best rates found by long searches over shapes (MAMF, stas00/ml-engineering): a large square
    # product comes near, not above.
    [("a100-sxm-80gb", "bf16", 271.2), ("h100-sxm", "bf16", 794.5), ("h100-sxm", "fp8", 1402.6),
     ("b200-sxm", "bf16", 1745.0), ("gb200", "bf16", 1822.0), ("b200-sxm", "fp8", 3432.5), ("gb200", "fp8", 3615.6)],
)  # fmt: skip
def test_large_products_come_near_the_best_rates_published(accelerator, precision, tflops):
    side = 8192
    reached = 2 * side**3 / float(gemm_s(side, side, side, chip(accelerator, precision))) / 1e12
    assert 0.8 * tflops < reached < 1.06 * tflops


def test_thin_products_are_limited_by_memory():
    h100 = chip()
    weights = 2 * 16384 * 16384
    assert gemm_s(1, 16384, 16384, h100) == pytest.approx(weights / h100.memory_bytes_per_s + h100.launch_s, rel=1e-3)


def test_groups_read_all_their_weights_even_with_a_fraction_of_a_row_each():
    h100 = chip()
    one, many = (grouped_gemm_s(groups, 64.0, 4096, 4096, h100) for groups in (1, 256))
    assert many > 100 * (one - h100.launch_s)


def test_attention_gains_with_query_length_and_is_slower_backwards():
    h100 = chip()
    flops = 1e12
    assert attention_s(flops, 16384, h100) < attention_s(flops, 1024, h100)
    assert attention_s(flops, 8192, h100, backward=True) > attention_s(flops, 8192, h100)


def test_memory_bound_counts_every_launch():
    h100 = chip()
    assert memory_bound_s(1e9, h100, kernels=3) == pytest.approx(1e9 / h100.memory_bytes_per_s + 3 * h100.launch_s)


def test_sustained_fraction_slows_compute_but_not_memory():
    h100, hot = chip(), replace(chip(), sustained_fraction=0.5)
    compute, slower = (gemm_s(8192, 8192, 8192, c) - c.launch_s for c in (h100, hot))
    assert slower == pytest.approx(2 * compute)
    assert gemm_s(1, 16384, 16384, hot) == gemm_s(1, 16384, 16384, h100)


def test_arrays_give_what_scalars_give():
    h100 = chip()
    m, n = np.array([[512.0], [4096.0]]), np.array([1024.0, 2048.0, 28672.0])
    table = gemm_s(m, n, 8192, h100)
    assert table.shape == (2, 3)
    assert table[1, 2] == gemm_s(4096, 28672, 8192, h100)
