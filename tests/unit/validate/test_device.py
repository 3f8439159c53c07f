"""Rows of on-device speeds: what they say in the catalog's names, and how they judge."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from myriad import catalog
from myriad.errors import SpecError
from myriad.spec.on_device import DeviceErrors, DeviceFactor, DeviceFit, DeviceGroup, RuntimeFit
from myriad.validate import device_rows
from myriad.validate.device import noise, validate_device_rows
from myriad.validate.device_cases import SkipRowError, case_of, prefilled_tokens
from myriad.validate.device_rows import DeviceRow, parse_device_rows, shipped_device_rows

HEAD = "id,source,device,chip,model,quantization,runtime,compute_unit,context_or_prompt_tokens,prefill_tok_s,ttft_ms"
CSV = f"""{HEAD},decode_tok_s
a,a page,4090 24GB * 2,4090,Llama-3-8B,Q4_K_M,llama.cpp (README: batch 1),gpu,1024,8545,,122.56
b,a page,Snapdragon 8 Elite QRD,,Qwen3-4B,w4a16,genie,npu,4096,,69-2208,24.4
"""
ERRORS = {"fitted": DeviceGroup(decode=DeviceErrors(rows=1, median=0, mean=0, p90=0, within=1))}


def runtime(**changes: object) -> RuntimeFit:
    values = {"runtime": "llama.cpp", "units": ["gpu"], "reference": "peak", "chunk_tokens": 512, "factors": [],
              "accelerators": {"rtx-4090": 1}, "quantisations": {"q4_k_m": 1}, "errors": {}}  # fmt: skip
    return RuntimeFit.model_validate(values | changes)


def fit(*runtimes: RuntimeFit) -> DeviceFit:
    return DeviceFit(
        schema=1, title="", fitted_on="", fitted_by="", rows=1, errors=ERRORS, runtimes=runtimes or (runtime(),)
    )


def row(**changes: object) -> DeviceRow:
    values = {"id": "x", "source": "s", "device": "RTX 4090", "model": "llama3-8b", "quantisation": "q4_k_m",
              "runtime": "llama.cpp", "unit": "gpu", "decode_tokens_per_s": 100.0}  # fmt: skip
    return DeviceRow.model_validate(values | changes)


def test_rows_are_read_in_base_units():
    cards, phone = parse_device_rows(CSV, "mine.csv")
    assert (cards.prefill_tokens_per_s, cards.decode_tokens_per_s, cards.unit) == (8545, 122.56, "gpu")
    assert phone.ttft_s == (0.069, 2.208)


@pytest.mark.parametrize(
    ("found", "instead", "complaint"),
    [
        ("npu", "tpu", "mine.csv:3: compute_unit: expected one of cpu, gpu, npu, found 'tpu'"),
        ("69-2208", "69-", "mine.csv:3: ttft_ms: expected milliseconds"),
        ("24.4", "-1", "mine.csv:3: decode_tok_s: expected a number above 0"),
        ("decode_tok_s", "decode_toks", "did you mean"),
    ],
)
def test_a_wrong_cell_is_named(found, instead, complaint):
    with pytest.raises(SpecError, match=complaint):
        parse_device_rows(CSV.replace(found, instead), "mine.csv")


def test_a_row_is_put_in_the_catalogs_names():
    cards, phone = (case_of(one) for one in parse_device_rows(CSV, "mine.csv"))
    assert (cards.accelerator_id, cards.devices, cards.model_id) == ("rtx-4090", 2, "llama3-8b")
    assert (cards.quantisation_id, cards.runtime_name) == ("q4_k_m", "llama.cpp")
    assert (phone.accelerator_id, phone.prefill) == ("snapdragon-8-elite", pytest.approx(128 / 0.069))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"device": "abacus"}, "no chip 'abacus'"),
        ({"device": "xring-o1"}, "no memory bandwidth"),
        ({"model": "hal-9000"}, "no model 'hal-9000'"),
        ({"quantisation": "q1"}, "quantisation 'q1'"),
        ({"notes": "Q4 rows spill out of GPU memory", "quantisation": "Q4_K_M"}, "spilled"),
        ({"decode_tokens_per_s": None}, "no speed"),
        ({"drafting": "oracle"}, "drafting by 'oracle'"),
        ({"batch": 8, "context_tokens": 4}, "fewer prompt tokens"),
    ],
)
def test_a_row_that_cannot_be_judged_says_why(changes, reason):
    with pytest.raises(SkipRowError, match=reason):
        case_of(row(**changes))


def test_a_padded_chunk_may_hold_a_short_prompt():
    padded = runtime(chunk_tokens=128, padded=True)
    short = case_of(row(prefill_tokens_per_s=385.36, ttft_s=(0.098628, 3.156)))
    assert prefilled_tokens(short, padded) == pytest.approx(38, abs=0.02)
    assert prefilled_tokens(case_of(row(ttft_s=(0.1, 3.2))), padded) == 128
    assert prefilled_tokens(case_of(row(context_tokens=1024)), runtime()) == 1024


def test_a_time_to_first_token_is_of_a_chunk_where_a_range_is_printed_and_of_the_prompt_else():
    assert case_of(row(ttft_s=(0.1, 3.2), context_tokens=4096)).prefill == pytest.approx(1280)
    assert case_of(row(ttft_s=(0.5, 0.5), context_tokens=4096)).prefill == pytest.approx(8192)


def test_errors_are_predicted_over_measured():
    result = validate_device_rows([row(), row(id="y", prefill_tokens_per_s=1e4)], fit())
    y = next(one for one in result.per_row if one.id == "y")
    assert y.predicted["decode"] is not None
    assert y.errors["decode"] == pytest.approx(y.predicted["decode"] / 100 - 1)
    assert y.errors["prefill"] is not None
    assert next(one for one in result.per_row if one.id == "x").errors["prefill"] is None
    assert result.overall.prefill is not None
    assert result.overall.prefill.rows == 1
    assert y.calibrated


def test_stated_drafts_count_as_stated():
    drafts = runtime(factors=[DeviceFactor(rate="accepted", method="mtp", value=2, prior=2, spread=1, rows=1)])
    rows = [row(drafting="MTP"), row(id="y", drafting="MTP", accepted_tokens=4.0)]
    by_id = {one.id: one.predicted["decode"] for one in validate_device_rows(rows, fit(drafts)).per_row}
    assert by_id["y"] == pytest.approx(2 * by_id["x"])


def test_another_runtime_is_judged_with_borrowed_figures():
    (one,) = validate_device_rows([row(runtime="vLLM 0.18")], fit()).per_row
    assert (one.runtime, one.calibrated) == ("vLLM", False)
    assert validate_device_rows([row(unit="npu")], fit()).skipped == {"no runtime was fitted on a npu": ("x",)}


def test_copied_figures_are_not_two_measurements():
    def one(name: str, speed: float, unit: str = "cpu"):
        return case_of(row(id=name, decode_tokens_per_s=speed, unit=unit))

    found = noise([one("a", 100), one("b", 110), one("c", 110), one("d", 121, "gpu")])
    assert found["repeated"].decode is not None
    assert found["repeated"].decode.rows == 2
    assert found["repeated"].decode.median == pytest.approx(0.1)
    assert found["cpu and gpu"].decode is not None
    assert found["cpu and gpu"].decode.rows == 3


def test_shipped_rows_are_whole_and_cited():
    folder = Path(device_rows.__file__).parent.parent / "data" / "measurements" / "device"
    sources = yaml.safe_load((folder / "sources.yaml").read_text("utf-8"))["sources"]
    rows = shipped_device_rows()
    assert len(rows) == len({one.id for one in rows}) == 601
    assert all(any(one.source.startswith(name) for name in sources) for one in rows)
    assert all(source["title"] and source["read_on"] for source in sources.values())


def test_quantisations_store_what_the_files_hold():
    """Llama 3 8B as published: 4.58 GiB in Q4_K_M, 4.34 GiB in Q4_0, 7.95 GiB in Q8_0, 14.96 GiB in F16."""
    from myriad.estimate.device_load import load

    for name, gib in {"q4_k_m": 4.58, "q4_0": 4.34, "q8_0": 7.95, "f16": 14.96}.items():
        stored = load(catalog.model("llama3-8b"), catalog.quantisation(name)).stored_bytes
        assert stored / 2**30 == pytest.approx(gib, rel=0.01), name
