import numpy as np
import pandas as pd
import pytest
import yaml

from myriad import catalog
from myriad.calibrate.fitting import Fit
from myriad.calibrate.kernels import alone
from myriad.calibrate.serving import ServingFits, fit_serving
from myriad.calibrate.serving_entries import default_section, section, serving_part, with_section
from myriad.calibrate.serving_judging import judge_serving, serving_text
from myriad.calibrate.serving_operators import serving_operators
from myriad.estimate.experts import routed_experts_s
from myriad.estimate.kernels import decode_attention_s, gemm_s
from myriad.estimate.peers import peer_all_reduce_s
from myriad.estimate.serving_device import decode_efficiency, expert_layer, serving_device
from myriad.spec.calibration import Kernels

FIGURES = {"peak_fraction": 0.5, "half_k": 100.0, "wave_loss": 0.1, "tile_rows": 16.0, "stream_share": 1.0}


def fits(**changes):
    gemm = {**FIGURES, "step_s": 1e-9, "split_k": 3000.0, "heat_loss": 0.1}
    layer = {"start_s": 1e-5, "token_s": 1e-40, "split_tokens": 5.0, "permute_passes": 1.0}
    given = {
        "gemm": {"fp8": gemm}, "grouped_gemm": {"fp8": FIGURES, "int4-weights": FIGURES},
        "experts": {"fp8": layer, "int4-weights": layer}, "attention": {}, "decode": {"bf16": {"stream_share": 1.0}},
        "all_reduce": {"start_s": 2e-6}, "exchange": {}, "extras": {}, "fits": {"gemm fp8": Fit((1.0,), 7, 0.1, 0.2)},
    }  # fmt: skip
    return ServingFits(**{**given, **changes})


def h100() -> Kernels:
    return catalog.kernels("h100-sxm")[0]


def test_weight_only_products_that_nobody_measured_say_so():
    part = section(fits(), h100(), blackwell=False)["serving"]
    bf16 = h100().gemm["bf16"]
    for precision in ("int8-weights", "int4-weights", "mxfp4"):
        figures = part["gemm"][precision]
        assert {figure["kind"] for figure in figures.values()} == {"derived"}
        assert figures["peak_fraction"]["value"] == pytest.approx(bf16.peak_fraction * 0.55, rel=1e-2)
        assert figures["tile_rows"]["value"] == 16.0
    assert section(fits(), h100(), blackwell=True)["serving"]["gemm"]["mxfp4"]["peak_fraction"]["value"] == 0.5
    assert part["experts"]["fp8"] == {"start_s": 1e-5, "token_s": 0.0, "split_tokens": 200.0, "permute_passes": 1.0}


def test_an_entry_keeps_all_but_its_serving_part():
    text = "# Fitted\n#   gemm: 1 row\n# Measured on x\nspec:\n  launch_s: 1.0e-06\n  decode: {bf16: {a: 1.0}}\n"
    new = with_section(text, {"decode": {"bf16": {"a": 2.0}}, "serving": {"b": 3.0}}, fits())
    assert "#   serving gemm fp8: 7 rows, 10.0% median, 20% 90th percentile\n# Measured on x\n" in new
    assert yaml.safe_load(new)["spec"]["launch_s"] == 1e-6
    assert serving_part(new) == {"decode": {"bf16": {"a": 2.0}}, "serving": {"b": 3.0}}
    assert with_section(new, serving_part(new), fits()) == new


def test_the_default_is_the_mean_of_all():
    low = section(fits(), h100(), blackwell=False)
    high = section(fits(all_reduce={"start_s": 8e-6}), h100(), blackwell=False)
    mean = default_section([low, high])["serving"]
    assert mean["all_reduce"]["start_s"] == pytest.approx(4e-6)
    assert mean["experts"]["fp8"]["token_s"] == 0.0


@pytest.fixture
def tables(tmp_path):
    """Tables that the shipped figures made themselves."""
    chip, kernels = catalog.accelerator("h100-sxm"), h100()
    draw = np.random.default_rng(0)
    count = 160
    m, n, k = (2.0 ** draw.integers(low, high, count) for low, high in ((0, 12), (10, 14), (10, 14)))
    half = alone(serving_device(chip, kernels, "bf16"))
    pd.DataFrame(
        {"engine": ["sglang", "vllm"] * 80, "dtype": "bfloat16", "m_tokens": m, "n_out": n, "k_in": k,
         "latency_us": gemm_s(m, n, k, half) * 1e6}
    ).to_parquet(tmp_path / "h100_sxm__gemm.parquet")  # fmt: skip
    block = alone(serving_device(chip, kernels, "fp8-block"))
    tokens = 2.0 ** draw.integers(0, 13, count)
    hit, layer = np.minimum(256, tokens * 8), expert_layer(kernels, "fp8-block")
    pd.DataFrame(
        {"engine": "sglang", "dtype": "fp8_block", "kernel": "sglang_fused_moe_triton", "tokens": tokens,
         "hidden": 7168.0, "expert_inter": 2048.0, "topk": 8.0, "experts": 256.0, "moe_tp": 4.0, "moe_ep": 1.0,
         "distribution": "balanced",
         "latency_us": routed_experts_s(hit, tokens * 8, tokens, 7168, 512, block, layer) * 1e6}
    ).to_parquet(tmp_path / "h100_sxm__moe.parquet")  # fmt: skip
    b, s = 2.0 ** draw.integers(0, 9, count), 2.0 ** draw.integers(5, 16, count)
    whole = serving_device(chip, kernels, "bf16")
    times = decode_attention_s(b, s, 64, 8, 512, decode_efficiency(kernels, "bf16", False), whole)
    heads = {"q_heads": 64.0, "kv_heads": 8.0, "head_dim_elems": 128.0, "window_tokens": 0.0}
    common = {"engine": "vllm", "kernel": "fa3", "attn_dtype": "bfloat16", "kv_cache_dtype": "bfloat16"}
    decode = pd.DataFrame({**common, **heads, "batch_size": b, "kv_len_tokens": s, "latency_us": times * 1e6})
    decode.to_parquet(tmp_path / "h100_sxm__generation_attention.parquet")
    none = decode.head(0).assign(q_heads_local=1.0, q_len_tokens=1.0, past_kv_tokens=0.0)
    for title in ("context_attention", "generation_mla"):
        none.to_parquet(tmp_path / f"h100_sxm__{title}.parquet")
    size = np.tile(2.0 ** np.arange(8, 24), 3)
    ranks = np.repeat([2.0, 4.0, 8.0], 16)
    assert kernels.serving is not None
    reduced = peer_all_reduce_s(size, ranks, 450e9, kernels.serving.all_reduce)
    pd.DataFrame(
        {"engine": "vllm", "kernel": "graph", "message_bytes": size, "num_gpus": ranks, "latency_us": reduced * 1e6}
    ).to_parquet(tmp_path / "h100_sxm__custom_allreduce.parquet")
    return tmp_path


def test_fits_find_what_made_the_tables_and_judgements_see_no_error(tables):
    pytest.importorskip("scipy")
    chip, kernels = catalog.accelerator("h100-sxm"), h100()
    served = serving_operators(tables, "h100_sxm")
    decoding = [one for one in served if one.operator.kind == "decode"]
    found = fit_serving(tables, "h100_sxm", decoding, chip, kernels, 450e9)
    assert set(found.fits) == {"decode bf16", "all_reduce"}
    assert all(fit.median_error < 0.03 for fit in found.fits.values())
    judged = judge_serving(tables, "h100_sxm", served, chip, kernels, 450e9)
    assert {j.kind for j in judged} == {"gemm", "grouped_gemm", "decode", "peer_all_reduce"}
    assert {j.engine for j in judged if j.kind == "gemm"} == {"sglang", "vllm"}
    assert all(j.errors.median < 0.02 and j.factor == pytest.approx(1.0, abs=0.02) for j in judged)
    assert serving_text(judged).count("| h100_sxm |") == len(judged)
