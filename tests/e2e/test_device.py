"""`myriad device` and `myriad validate device`: what they print and write, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CLOUD = ("--round-trip", "60ms", "--cloud-ttft", "300ms", "--cloud-tpot", "20ms",
         "--input-price", "0.2 USD/M tokens", "--output-price", "0.8 USD/M tokens")  # fmt: skip
HEAD = "id,source,device,model,quantization,runtime,compute_unit,context_or_prompt_tokens,decode_tok_s\n"


def test_one_device_lists_what_was_fitted_there(myriad):
    done = myriad("device", "qwen3-4b", "--device", "Snapdragon 8 Elite QRD", "--memory", "12 GB", "--watts", "6 W")
    assert done.code == 0
    assert "qwen3-4b on snapdragon-8-elite" in done.out
    assert "geniex_qairt npu w4a16" in done.out
    assert "energy: time x power, given" in done.out
    assert "mxfp4" not in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_all_devices_and_models_give_a_table_each(myriad):
    done = myriad("device", "qwen3-0.6b", "llama3-8b", "--json", "-")
    assert done.code == 0
    speeds = json.loads(done.out)["speeds"]
    chips = [one["device"] for one in speeds if one["model"] == "llama3-8b"]
    assert len(chips) == len(set(chips)) > 30
    assert all(one["decode_tokens_per_s"] > 0 and one["decode_within"] >= 1 for one in speeds)


def test_memory_and_energy_are_stated(myriad):
    done = myriad("device", "llama3-70b", "--device", "rtx-4090", "--quantisation", "q4_k_m", "--json", "a.json")
    assert done.code == 0
    (one,) = json.loads(Path("a.json").read_text("utf-8"))["speeds"]
    assert one["fits"] is False
    assert one["answer_joules"] == pytest.approx(450 * one["answer_s"])
    assert "! more than the memory" in done.out


def test_a_chip_without_rows_borrows_and_says_so(myriad):
    done = myriad("device", "qwen3-4b", "--device", "mi300x")
    assert done.code == 0
    assert "* nothing was fitted on this chip" in done.out


def test_against_the_cloud(myriad):
    done = myriad(
        "device", "qwen3-4b", "--device", "rtx-4090", "--quantisation", "q4_k_m", *CLOUD, "--electricity",
        "0.12 USD/kWh", "--json", "a.json",
    )  # fmt: skip
    assert done.code == 0
    (one,) = json.loads(Path("a.json").read_text("utf-8"))["device_or_cloud"]
    assert one["cloud_s"] == pytest.approx(0.06 + 0.3 + 127 * 0.02)
    assert one["faster"] == one["cheaper"] == "device"
    assert max(map(len, done.out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("hal-9000",), "unknown model 'hal-9000'"),
        (("qwen3-4b", "--device", "rtx-4091"), "did you mean 'rtx-4090'"),
        (("qwen3-4b", "--unit", "tpu"), "--unit: found 'tpu'"),
        (("qwen3-4b", "--prompt", "0"), "--prompt: "),
        (("qwen3-4b", "--runtime", "vllm"), "unknown runtime 'vllm"),
        (("qwen3-4b", "--quantisation", "q4"), "--quantisation: unknown quantisation 'q4'"),
        (("qwen3-4b", "--device", "xring-o1"), "has no memory_bytes_per_s"),
        (("qwen3-4b", "--round-trip", "60ms"), "--cloud-ttft: is needed too"),
        (("qwen3-4b", "--electricity", "1 USD/kWh"), "--electricity: is held against"),
        (("qwen3-4b", *CLOUD[:-1], "0.8 USD/kWh"), "--output-price: expected a price"),
        (("qwen3-4b", "--watts", "lots"), "--watts: "),
    ],
)
def test_what_is_wrong_is_named_in_one_line(myriad, arguments, complaint):
    done = myriad("device", *arguments, "--json", "a.json")
    assert done.code == 2
    assert complaint in done.err
    assert len(done.err.splitlines()) == 1
    assert not Path("a.json").exists()


def test_validation_lists_groups_and_the_worst_rows(myriad):
    done = myriad("validate", "device", "--worst", "3", "--json", "errors.json")
    assert done.code == 0
    result = json.loads(Path("errors.json").read_text("utf-8"))
    assert result["rows"] == 601
    first = result["per_row"][0]
    assert set(first["errors"]) == {"decode", "prefill"}
    assert "model left out" in done.out
    assert "worst 3 rows" in done.out
    assert first["id"] in done.out


def test_validation_of_own_rows(myriad):
    Path("mine.csv").write_text(HEAD + "a,log,RTX 4090,llama3-8b,Q4_K_M,llama.cpp,gpu,1024,120\n")
    done = myriad("validate", "device", "--rows", "mine.csv", "--json", "-")
    assert done.code == 0
    (row,) = json.loads(done.out)["per_row"]
    assert row["errors"]["prefill"] is None
    assert abs(row["errors"]["decode"]) < 0.2
    Path("mine.csv").write_text(HEAD + "a,log,RTX 4090,llama3-8b,Q4_K_M,llama.cpp,gpu,1024,fast\n")
    done = myriad("validate", "device", "--rows", "mine.csv")
    assert (done.code, "mine.csv:2: decode_tok_s" in done.err) == (2, True)
