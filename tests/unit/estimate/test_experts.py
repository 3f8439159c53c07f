import numpy as np
import pytest

from myriad import catalog
from myriad.estimate.experts import experts_hit, routed_experts_s
from myriad.estimate.kernels import grouped_gemm_s
from myriad.estimate.serving_device import expert_layer, serving_device
from myriad.spec.serving_kernels import ExpertLayer


def chip(precision="fp8-block", accelerator="h100-sxm"):
    return serving_device(catalog.accelerator(accelerator), catalog.kernels(accelerator)[0], precision)


def test_few_tokens_hit_nearly_as_many_experts_as_they_choose_and_many_hit_all():
    assert experts_hit(1, 8, 256) == pytest.approx(8.0)
    assert 110 < experts_hit(20, 8, 256) < 130
    assert experts_hit(4096, 8, 256) == pytest.approx(256.0)
    assert experts_hit(3, 4, 4) == 4.0


def test_drawn_choices_hit_as_many_as_expected():
    draw = np.random.default_rng(3)
    hit = [len({e for _ in range(48) for e in draw.choice(128, 8, replace=False)}) for _ in range(60)]
    assert np.mean(hit) == pytest.approx(float(experts_hit(48, 8, 128)), rel=0.02)


def test_a_layer_is_its_products_and_what_lies_between_them():
    h100 = chip()
    layer = ExpertLayer(start_s=1e-5, token_s=1e-8, split_tokens=100.0, permute_passes=3.0)
    time = routed_experts_s(64, 512, 100, 4096, 1536, h100, layer)
    products = grouped_gemm_s(64, 512, 2 * 1536, 4096, h100) + grouped_gemm_s(64, 512, 4096, 1536, h100)
    streams = 2 * (3 * 512 * 1536 + 3 * 512 * 4096) / h100.memory_bytes_per_s
    assert time == pytest.approx(products + streams + 1e-5 + 1e-8 * 50)
    one_matrix = routed_experts_s(64, 512, 100, 4096, 1536, h100, layer, gated=False)
    assert one_matrix < time


EIGHT_BITS = ["h100-sxm", "b200-sxm", "gb200", "l40s", "mi300x"]
PAIRS = [(name, "fp8-block") for name in EIGHT_BITS]
PAIRS += [(name, one) for name in ["a100-sxm-80gb", *EIGHT_BITS] for one in ("bf16", "mxfp4", "int4-weights")]


@pytest.mark.parametrize(("accelerator", "precision"), PAIRS)
def test_more_tokens_never_take_less_time_nor_less_than_their_weights(accelerator, precision):
    device = chip(precision, accelerator)
    layer = expert_layer(catalog.kernels(accelerator)[0], precision)
    tokens = 2.0 ** np.arange(13)
    hit = experts_hit(tokens, 8, 256)
    time = routed_experts_s(hit, tokens * 8, tokens, 7168, 2048, device, layer)
    assert np.all(np.diff(time) > 0)
    weights = hit * 3 * 7168 * 2048 * device.operand_bytes * device.weight_share
    assert np.all(time > weights / catalog.accelerator(accelerator).memory_bytes_per_s)
