"""Speeds on one device against sums on paper."""

from __future__ import annotations

import numpy as np
import pytest

from myriad import catalog
from myriad.errors import MissingDataError
from myriad.estimate.device_load import load
from myriad.estimate.on_device import (
    RATES,
    Rates,
    Work,
    borrowed,
    chunking,
    decode_tokens_per_s,
    prefill_s,
    rates,
    stacked,
    work_of,
)
from myriad.spec.on_device import DeviceFactor, Quantisation, RuntimeFit

FOUR_BITS = Quantisation(name="four", body_bits=4, head_bits=8, embedding_bits=16)
PLAIN = RuntimeFit(
    runtime="plain", units=("gpu",), reference="peak", factors=(), errors={}, accelerators={}, quantisations={}
)


def of(**changes: object) -> RuntimeFit:
    return PLAIN.model_copy(update=changes)


def factor(rate: str, value: float, **narrowed: str) -> DeviceFactor:
    return DeviceFactor.model_validate({"rate": rate, "value": value, "prior": 1, "spread": 1, "rows": 1, **narrowed})


def test_a_dense_model_reads_its_layers_and_its_head_but_no_table():
    one = load(catalog.model("llama3-8b"), FOUR_BITS)
    head = table = 128256 * 4096
    body = 8_030_261_248 - head - table - 4096  # the final norm is left out
    assert one.read_bytes == pytest.approx(body * 0.5 + head)
    assert one.stored_bytes == pytest.approx(body * 0.5 + head + 2 * table)
    assert one.flops_per_token == pytest.approx(2 * body)
    assert one.cache_bytes(1000) == 32 * 1000 * 8 * 2 * 128 * 2
    assert one.attention_flops(100) == pytest.approx(32 * (100 * 100 / 2) * 2 * 32 * 2 * 128)


def test_a_tied_table_is_stored_once_and_read_as_the_head():
    one = load(catalog.model("llama3.2-1b"), FOUR_BITS)
    assert one.stored_bytes == one.read_bytes


def test_per_layer_embeddings_take_room_but_are_not_read():
    one = load(catalog.model("gemma-4-e2b"), FOUR_BITS)
    assert one.stored_bytes - one.read_bytes == pytest.approx(262144 * 256 * 35 * 2)


def test_more_tokens_touch_more_experts():
    one = load(catalog.model("gpt-oss-20b"), FOUR_BITS)
    assert one.pass_bytes(1) == pytest.approx(one.read_bytes)
    assert one.pass_bytes(2) == pytest.approx(one.all_read_bytes - one.expert_bytes * (7 / 8) ** 2)
    assert one.pass_bytes(1e6) == pytest.approx(one.all_read_bytes)


def test_a_window_bounds_the_cache():
    one = load(catalog.model("gpt-oss-20b"), FOUR_BITS)
    full = 12 * 8 * 2 * 64 * 2
    assert one.cache_bytes(4096) - one.cache_bytes(1024) == full * 3072


def test_chunks_and_padding():
    assert chunking(of(), 300) == (1, 300)
    assert chunking(of(chunk_tokens=128), 300) == (3, 300)
    assert chunking(of(chunk_tokens=128, padded=True), 300) == (3, 384)


WORK = Work(
    pass_bytes=4e9, prompt_bytes=5e9, cache_bytes=1e8, flops_per_token=1e10, attention_flops=1e11, layers=30.0,
    recurrent_layers=10.0, batch=1.0, devices=1.0, drafts=0.0, prompt_tokens=1000.0, chunks=2.0,
)  # fmt: skip
RATES_ = Rates(
    weights=1e11, cache=1e10, layer=1e-4, recurrent=2e-4, compute=1e13, attention=1e12, scan=1e-6, sequence=2.0,
    padding=50.0, hop=1e-3, spread=0.5, draft=1.0, check=10.0, accepted=3.0,
)  # fmt: skip


def changed(**changes: float) -> Work:
    return Work(**{**WORK.__dict__, **changes})


def test_decode_on_paper():
    step_s = 0.04 + 0.01 + 0.003 + 0.002
    assert decode_tokens_per_s(WORK, RATES_) == pytest.approx(1 / step_s)
    eight_s = step_s + 7 * 0.01 + 7 * 2 * 1e-3
    assert decode_tokens_per_s(changed(batch=8.0), RATES_) == pytest.approx(8 / eight_s)
    assert decode_tokens_per_s(changed(devices=3.0), RATES_) == pytest.approx(1 / (step_s + 2e-3))


def test_drafts_on_paper():
    pass_s = 0.055 * 2 + 10 * 1e-3
    assert decode_tokens_per_s(changed(drafts=1.0), RATES_) == pytest.approx(3 / pass_s)


def test_prefill_on_paper():
    fixed_s = 2 * (0.05 + 0.003 + 0.002)
    work_s = 1.0 + 0.1 + 0.01
    assert prefill_s(WORK, RATES_) == pytest.approx(fixed_s + work_s)
    assert prefill_s(changed(devices=4.0), RATES_) == pytest.approx(fixed_s + 2 * 3e-3 + work_s / 2)
    assert prefill_s(changed(batch=3.0), RATES_) == pytest.approx(fixed_s + 1.1 * 1.01 + 0.1)


def test_many_rows_give_what_each_gives_alone():
    works = [WORK, changed(batch=8.0), changed(drafts=1.0, devices=2.0)]
    together = stacked(works)
    assert np.allclose(decode_tokens_per_s(together, RATES_), [decode_tokens_per_s(one, RATES_) for one in works])
    assert np.allclose(prefill_s(together, RATES_), [prefill_s(one, RATES_) for one in works])


def test_only_figures_that_apply_count():
    runtime = of(
        factors=(
            factor("weights", 0.5), factor("weights", 1.5, accelerator="rtx-4090"),
            factor("weights", 3.0, accelerator="rtx-3090"), factor("compute", 0.4, quantisation="f16"),
            factor("check", 7.0, method="mtp"), factor("layer", 2e-5),
        )
    )  # fmt: skip
    found = rates(catalog.accelerator("rtx-4090"), "rtx-4090", runtime, "q4_0")
    assert found.weights == pytest.approx(1008e9 * 0.75)
    assert found.compute == pytest.approx(330.3e12)
    assert found.check == 1
    assert found.layer == 2e-5
    assert rates(catalog.accelerator("rtx-4090"), "rtx-4090", runtime, "f16", "mtp").check == 7


def test_memory_is_the_reference_where_no_peak_is_published():
    chip = catalog.accelerator("snapdragon-8-elite")
    assert rates(chip, "x", of(reference="memory"), "q4_0").compute == chip.memory_bytes_per_s
    with pytest.raises(MissingDataError, match="bf16_flops_per_s"):
        rates(chip, "x", PLAIN, "q4_0")
    with pytest.raises(MissingDataError, match="memory_bytes_per_s"):
        rates(catalog.accelerator("xring-o1"), "x", PLAIN, "q4_0")


def test_the_runtime_that_stands_in_was_fitted_on_the_chip_if_any_was():
    chip = catalog.accelerator("rtx-4090")
    near, much, npu = (
        of(runtime="near", reference="memory", accelerators={"rtx-4090": 1}),
        of(runtime="much", accelerators={"rtx-3090": 9}),
        of(runtime="npu", units=("npu",), accelerators={"rtx-4090": 9}),
    )
    assert borrowed([near, much, npu], chip, "rtx-4090", "gpu") == near
    assert borrowed([near, much, npu], chip, "rtx-4080", "gpu") == much
    assert borrowed([near, much], chip, "rtx-4080", "npu") is None


def test_every_rate_has_a_figure():
    assert set(RATES) == set(Rates.__dataclass_fields__)


@pytest.mark.parametrize("name", catalog.names("models"))
def test_every_model_of_the_catalog_can_be_asked_for(name):
    work = work_of(load(catalog.model(name), FOUR_BITS), of(), context_tokens=1000.0, prompt_tokens=1000.0)
    assert 0 < decode_tokens_per_s(work, RATES_) < 1e6
    assert 0 < prefill_s(work, RATES_) < 1e6
