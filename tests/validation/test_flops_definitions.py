"""Rows that print both tokens/s and TFLOP/s or MFU: does the publisher's definition lead from one to the other?"""

from __future__ import annotations

import numpy as np
import pytest

import myriad.catalog as catalog
from myriad.errors import MyriadError
from myriad.estimate.flops import DEFINITIONS
from myriad.validate.measured import flops_definition
from myriad.validate.rows import TrainingRow, shipped_rows


def per_token(row: TrainingRow) -> tuple[str, float] | None:
    """The definition and FLOPs per token of a row, or nothing if it names no definition."""
    try:
        model = catalog.model(row.model)
    except MyriadError:
        return None
    if row.source.startswith("NeMo Automodel"):
        model = model.model_copy(update={"mtp_depths": 0, "mtp_block": None})
    if row.num_layers:
        model = model.with_layers(row.num_layers)
    name = flops_definition(row, model)
    return (name, DEFINITIONS[name](model, row.seq_len or 0)) if name else None


def measured_tokens_per_s(row: TrainingRow) -> float | None:
    if row.tokens_per_s_per_gpu:
        return row.tokens_per_s_per_gpu
    if row.tokens_per_s and row.num_gpus:
        return row.tokens_per_s / row.num_gpus
    if row.step_s and row.global_batch and row.num_gpus and row.seq_len:
        return row.global_batch * row.seq_len / row.step_s / row.num_gpus
    return None


def test_definitions_lead_from_tflops_to_tokens():
    ratios: dict[str, list[float]] = {}
    for row in shipped_rows():
        # Its printed FLOPs were wrong until a release of 2026, as the page itself later corrected.
        if row.model.startswith("gpt-oss") and row.id < "mb-284":
            continue
        tokens, found = measured_tokens_per_s(row), per_token(row)
        printed = row.model_flops_per_s or row.hardware_flops_per_s
        if tokens and found and printed:
            ratios.setdefault(found[0], []).append(tokens * found[1] / printed)
    assert set(ratios) == {"megatron-causal", "noncausal", "six-n", "sc21-hardware", "sc21-model"}
    for name, values in ratios.items():
        assert np.median(np.abs(np.array(values) - 1)) < (0.02 if name == "sc21-model" else 0.006), name


@pytest.mark.parametrize("precision", ["bf16", "fp8"])
def test_dgx_cloud_mfu_is_by_the_same_definitions(precision):
    rate = {"bf16": 989e12, "fp8": 1979e12}[precision]
    errors = []
    for row in shipped_rows():
        h100 = row.accelerator == "H100-SXM-80GB" and row.precision == precision
        if not (row.source.startswith("NVIDIA DGX Cloud") and h100 and row.mfu and row.num_gpus):
            continue
        tokens, found = measured_tokens_per_s(row), per_token(row)
        assert tokens is not None
        assert found is not None
        errors.append(abs(tokens * found[1] / (row.mfu * rate) - 1))
    assert len(errors) > 80
    assert np.quantile(errors, 0.95) < 0.015
