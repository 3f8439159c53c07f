from dataclasses import replace

import numpy as np
import pytest

from myriad import catalog
from myriad.estimate.device import Device, device
from myriad.estimate.kernels import attention_s, decode_attention_s, gemm_s, grouped_gemm_s, memory_bound_s
from myriad.spec.calibration import DecodeEfficiency


def chip(accelerator: str = "h100-sxm", precision: str = "bf16") -> Device:
    """An accelerator as it runs one kernel alone, whatever a long run leaves of that."""
    kernels, calibrated = catalog.kernels(accelerator)
    alone = kernels.model_copy(update={"training_share": {}, "attention_training_share": 1.0})
    return replace(
        device(catalog.accelerator(accelerator), alone, precision, calibrated), sustained_fraction=1.0, heat_s=5e-4
    )


def test_one_product_by_hand():
    h100 = chip()
    fit = h100.gemm
    m, n, k = 4096, 8192, 4096
    lost = fit.wave_loss * 132 * 128**2
    cold = 2 * (m * n + lost) * (k + fit.half_k) / (989e12 * fit.peak_fraction)
    compute = cold * (1 + fit.heat_loss * cold / (cold + 5e-4)) + fit.step_s * k / (1 + k / fit.split_k)
    memory = 2 * (m * k + k * n + m * n) / h100.memory_bytes_per_s
    expected = np.hypot(compute, memory) + h100.launch_s
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
    assert gemm_s(1, 16384, 16384, h100) == pytest.approx(weights / h100.memory_bytes_per_s + h100.launch_s, rel=0.05)


def test_groups_read_the_weights_of_those_that_have_a_row():
    h100 = chip()
    one, all_of_64, most_idle = (grouped_gemm_s(groups, 64.0, 4096, 4096, h100) for groups in (1, 64, 256))
    assert most_idle == all_of_64
    assert all_of_64 > 30 * (one - h100.launch_s)


def test_products_alone_slow_as_they_warm_the_chip_and_long_runs_are_hot_throughout():
    cool = chip()
    cool = replace(cool, gemm=cool.gemm.model_copy(update={"heat_loss": 0.25, "half_k": 0.0, "step_s": 0.0}))
    small, large = (2 * side**3 / float(gemm_s(side, side, side, cool)) for side in (4096, 32768))
    assert small > 1.1 * large
    hot = replace(cool, heat_s=0.0)
    assert gemm_s(4096, 4096, 4096, hot) > gemm_s(4096, 4096, 4096, cool)
    assert gemm_s(65536, 65536, 65536, hot) == pytest.approx(gemm_s(65536, 65536, 65536, cool), rel=1e-2)


def test_an_empty_chip_waits_for_the_steps_along_k_until_they_are_split():
    h100 = chip()
    h100 = replace(h100, gemm=h100.gemm.model_copy(update={"step_s": 1e-9, "split_k": 4e3, "tile_rows": 0.0}))
    short, long, split = (float(gemm_s(1, 64, k, h100)) - h100.launch_s for k in (256, 2048, 65536))
    assert long > 4 * short
    assert split < 4 * long


def test_windows_waste_blocks_and_small_heads_wait_for_exponentials():
    h100 = chip()
    narrow = attention_s(1e11, 8192, h100, head_dim=128, longest_keys=128)
    assert narrow > 1.5 * attention_s(1e11, 8192, h100, head_dim=128, longest_keys=8192)
    assert attention_s(1e12, 8192, h100, head_dim=64) > 1.1 * attention_s(1e12, 8192, h100, head_dim=128)


def test_the_last_tile_of_few_heads_visits_its_keys_alone():
    h100 = chip()
    flops = 2 * 128 * 8192.0**2
    assert attention_s(flops, 8192, h100, longest_keys=8192) > 1.2 * attention_s(flops, 8192, h100)


def test_decoding_streams_the_cache():
    h100 = chip()
    fit = DecodeEfficiency(stream_share=0.5, item_s=0.0, step_s=0.0, split_keys=1.0, overhead_s=1e-5)
    cached = 64 * 32768 * 8 * 512
    time = decode_attention_s(64, 32768, 64, 8, 512, fit, h100)
    assert time == pytest.approx(cached / (0.5 * h100.memory_bytes_per_s) + 1e-5)


def test_attention_gains_with_query_length_and_is_slower_backwards():
    h100 = chip()
    flops = 1e12
    assert attention_s(flops, 16384, h100) < attention_s(flops, 1024, h100)
    assert attention_s(flops, 8192, h100, backward=True) > attention_s(flops, 8192, h100)


def test_memory_bound_counts_every_launch():
    h100 = chip()
    assert memory_bound_s(1e9, h100, kernels=3) == pytest.approx(1e9 / h100.memory_bytes_per_s + 3 * h100.launch_s)


def test_sustained_fraction_slows_compute_but_not_memory():
    fresh = chip()
    h100 = replace(fresh, gemm=fresh.gemm.model_copy(update={"step_s": 0.0}))
    hot = replace(h100, sustained_fraction=0.5)
    compute, slower = (gemm_s(8192, 8192, 8192, c) - c.launch_s for c in (h100, hot))
    assert slower == pytest.approx(2 * compute, rel=1e-2)
    assert gemm_s(1, 16384, 16384, hot) == pytest.approx(gemm_s(1, 16384, 16384, h100), rel=0.15)


def test_arrays_give_what_scalars_give():
    h100 = chip()
    m, n = np.array([[512.0], [4096.0]]), np.array([1024.0, 2048.0, 28672.0])
    table = gemm_s(m, n, 8192, h100)
    assert table.shape == (2, 3)
    assert table[1, 2] == gemm_s(4096, 28672, 8192, h100)
