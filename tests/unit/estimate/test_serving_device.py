import numpy as np
import pytest

from myriad import catalog
from myriad.errors import MissingDataError, SpecError
from myriad.estimate.device import device
from myriad.estimate.kernels import gemm_s
from myriad.estimate.serving_device import decode_efficiency, expert_layer, serving_device


def chip(precision: str, accelerator: str = "h100-sxm"):
    return serving_device(catalog.accelerator(accelerator), catalog.kernels(accelerator)[0], precision)


def test_narrow_weights_are_read_narrow_and_computed_in_16_bits():
    wide, narrow = chip("bf16"), chip("int4-weights")
    assert narrow.gemm_flops_per_s == wide.gemm_flops_per_s
    assert narrow.operand_bytes * narrow.weight_share == pytest.approx(0.5 + 2 / 128)
    assert 2.0 < gemm_s(1, 16384, 16384, wide) / gemm_s(1, 16384, 16384, narrow) < 4.0


def test_four_bit_experts_compute_in_eight_bits_where_the_chip_can():
    assert chip("mxfp4").gemm_flops_per_s == chip("bf16").gemm_flops_per_s
    assert chip("mxfp4", "b200-sxm").gemm_flops_per_s == chip("fp8", "b200-sxm").gemm_flops_per_s


def test_training_shares_do_not_reach_serving():
    kernels, _ = catalog.kernels("h100-sxm")
    halved = kernels.model_copy(update={"training_share": {"bf16": 0.5}, "attention_training_share": 0.5})
    h100 = catalog.accelerator("h100-sxm")
    assert serving_device(h100, halved, "bf16") == serving_device(h100, kernels, "bf16")
    assert device(h100, halved, "bf16") != device(h100, kernels, "bf16")


def test_unknown_precision_is_a_spec_error():
    with pytest.raises(SpecError, match="int4-weights"):
        chip("int4-weight")


def can_serve(name):
    one = catalog.accelerator(name)
    return bool(one.memory_bytes_per_s and one.memory_bytes and (one.bf16_flops_per_s or one.fp16_flops_per_s))


@pytest.mark.parametrize("name", [name for name in catalog.names("accelerators") if can_serve(name)])
def test_every_accelerator_with_a_bandwidth_and_a_16_bit_rate_can_serve(name):
    accelerator = catalog.accelerator(name)
    kernels, _ = catalog.kernels(name)
    half = "bf16" if accelerator.bf16_flops_per_s is not None else "fp16"
    wide = serving_device(accelerator, kernels, half)
    for precision in (half, "int8-weights", "int4-weights", "mxfp4"):
        device = serving_device(accelerator, kernels, precision)
        rows = 2.0 ** np.arange(14)
        time = gemm_s(rows, 8192, 8192, device)
        assert np.all(np.diff(time) >= 0)
        assert time[0] > device.operand_bytes * device.weight_share * 8192**2 / accelerator.memory_bytes_per_s
        assert np.all(time > 2 * rows * 8192**2 / device.gemm_flops_per_s)
        # Weight-only kernels have longer chains along k: with a fast memory that may eat up what 8 bits save.
        assert time[0] <= 1.05 * gemm_s(1, 8192, 8192, wide)
        expert_layer(kernels, precision)
    for cache in ("bf16", "fp8", "int4"):
        for latent in (False, True):
            decode_efficiency(kernels, cache, latent)
        serving_device(accelerator, kernels, half, cache)


def test_attention_over_an_8_bit_cache_runs_in_8_bits_where_that_was_fitted():
    h100, a100 = (catalog.accelerator(name) for name in ("h100-sxm", "a100-sxm-80gb"))
    narrow = serving_device(h100, catalog.kernels("h100-sxm")[0], "bf16", "fp8")
    assert narrow.attention_flops_per_s == h100.fp8_flops_per_s
    assert serving_device(a100, catalog.kernels("a100-sxm-80gb")[0], "bf16", "fp8").attention_flops_per_s == 312e12


def test_kernels_without_serving_figures_fall_back_on_those_of_training():
    kernels, _ = catalog.kernels("h100-sxm")
    bare = kernels.model_copy(update={"serving": None, "decode": {}})
    assert serving_device(catalog.accelerator("h100-sxm"), bare, "fp8").gemm == kernels.gemm["fp8"]
    with pytest.raises(MissingDataError, match=r"serving\.experts\.fp8"):
        expert_layer(bare, "fp8")
    with pytest.raises(MissingDataError, match=r"decode\.latent-bf16"):
        decode_efficiency(bare, "bf16", latent=True)
