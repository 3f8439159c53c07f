import pytest

from myriad import catalog
from myriad.errors import SpecError
from myriad.estimate.device import device
from myriad.estimate.kernels import gemm_s
from myriad.estimate.serving_device import serving_device


def chip(precision: str, accelerator: str = "h100-sxm"):
    return serving_device(catalog.accelerator(accelerator), catalog.kernels(accelerator)[0], precision)


def test_narrow_weights_are_read_narrow_and_computed_in_16_bits():
    wide, narrow = chip("bf16"), chip("int4-weights")
    assert narrow.gemm_flops_per_s == wide.gemm_flops_per_s
    assert narrow.operand_bytes * narrow.weight_share == pytest.approx(0.5 + 2 / 128)
    assert 2.5 < gemm_s(1, 16384, 16384, wide) / gemm_s(1, 16384, 16384, narrow) < 4.0


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
