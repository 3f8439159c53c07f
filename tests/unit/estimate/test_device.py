import pytest

from myriad.errors import MissingDataError, SpecError
from myriad.estimate.device import device
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import AttentionEfficiency, GemmEfficiency, Kernels

H100 = Accelerator(
    name="H100", vendor="NVIDIA", accelerator_class="datacentre", bf16_flops_per_s=989e12, fp8_flops_per_s=1979e12,
    memory_bytes=80e9, memory_bytes_per_s=3.35e12, num_sms=132,
)  # fmt: skip
GEMM = GemmEfficiency(peak_fraction=0.8, half_k=150, wave_loss=0.1)
KERNELS = Kernels(
    accelerators=("h100-sxm",), gemm={"bf16": GEMM, "fp8": GEMM, "nvfp4": GEMM}, grouped_gemm={"bf16": GEMM},
    attention={"bf16": AttentionEfficiency(forward_fraction=0.65, backward_fraction=0.5, half_tokens=700)},
    memory_fraction=0.9, launch_s=3e-6,
)  # fmt: skip


def test_device_binds_rate_bandwidth_and_operand_size():
    chip = device(H100, KERNELS, "bf16")
    assert chip.gemm_flops_per_s == chip.attention_flops_per_s == 989e12
    assert chip.memory_bytes_per_s == pytest.approx(0.9 * 3.35e12)
    assert chip.operand_bytes == 2.0
    assert chip.calibrated


def test_attention_stays_in_half_precision_when_matrices_are_narrower():
    kernels = KERNELS.model_copy(update={"grouped_gemm": KERNELS.gemm})
    chip = device(H100, kernels, "fp8")
    assert (chip.gemm_flops_per_s, chip.attention_flops_per_s, chip.operand_bytes) == (1979e12, 989e12, 1.0)


def test_fp16_takes_its_own_rate_where_there_is_one():
    assert device(H100, KERNELS, "fp16").gemm_flops_per_s == 989e12
    volta = H100.model_copy(update={"name": "V100", "bf16_flops_per_s": None, "fp16_flops_per_s": 125e12})
    assert device(volta, KERNELS, "fp16").gemm_flops_per_s == 125e12
    with pytest.raises(MissingDataError, match="V100 has no bf16 matrix rate; it has fp16, fp8"):
        device(volta, KERNELS, "bf16")


def test_missing_precision_names_what_there_is_and_how_to_add_it():
    with pytest.raises(MissingDataError, match=r"no nvfp4 matrix rate; it has fp16, bf16, fp8.*add fp4_flops_per_s"):
        device(H100, KERNELS, "nvfp4")


def test_missing_efficiency_names_what_there_is_and_how_to_add_it():
    with pytest.raises(
        MissingDataError, match=r"no grouped_gemm efficiency for fp8; they have bf16; add grouped_gemm\.fp8"
    ):
        device(H100, KERNELS, "fp8")


@pytest.mark.parametrize("figure", ["memory_bytes", "memory_bytes_per_s"])
def test_missing_memory_figure_is_named(figure):
    with pytest.raises(MissingDataError, match=f"H100 has no {figure}; add it"):
        device(H100.model_copy(update={figure: None}), KERNELS, "bf16")


def test_unknown_precision_is_a_spec_error():
    with pytest.raises(SpecError, match="unknown precision 'bf61'; did you mean 'bf16'"):
        device(H100, KERNELS, "bf61")  # type: ignore[arg-type]


def test_without_multiprocessors_no_time_is_lost_to_waves():
    assert device(H100.model_copy(update={"num_sms": None}), KERNELS, "bf16").num_sms == 1
