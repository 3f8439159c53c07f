from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from myriad.errors import SpecError
from myriad.validate import serving_rows
from myriad.validate.serving_rows import (
    COLUMNS,
    REQUIRED,
    ServingRow,
    parse_serving_rows,
    read_serving_rows,
    shipped_serving_rows,
)

PUBLISHED = (
    "id,source,url,model,accelerator,gpus,precision,engine_version,parallelism,isl,osl,concurrency_or_rate,ttft_ms,"
    "tpot_ms,output_tok_s_per_gpu,total_tok_s_per_gpu,derived_output_tok_s_per_gpu,mode,date,notes"
)
ROW = "a-1,Me,,llama3-8b,h100-sxm,8,FP8,vllm 0.12.0,tp8 pp1,1024,512,16,190.9,7.9,,,853.5,closed-loop,2026-01-01,"


def text(*lines: str) -> str:
    return "\n".join([PUBLISHED, *lines]) + "\n"


def test_milliseconds_become_seconds():
    (row,) = parse_serving_rows(text(ROW), "runs.csv")
    assert row.ttft_s == pytest.approx(0.1909)
    assert row.tpot_s == pytest.approx(0.0079)
    assert (row.num_gpus, row.input_length, row.load, row.quality) == (8, "1024", "16", "primary")
    assert row.output_tokens_per_s_per_gpu is None


def test_every_column_fills_a_field():
    assert {field for field, _ in COLUMNS.values()} == set(ServingRow.model_fields)
    assert set(REQUIRED) <= set(COLUMNS)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",8,FP8", ",eight,FP8", "runs.csv:2: gpus: expected a whole number of at least 1, found 'eight'"),
        (",1024,", ",1 k,", "isl: expected a whole number of tokens"),
        (",1024,", ",0,", "isl: expected a whole number of tokens"),
        (",7.9,", ",-1,", "tpot_ms: expected a number above 0, found '-1'"),
        (",190.9,", ",nan,", "ttft_ms: expected a number above 0"),
        ("llama3-8b", "", "model: expected a text, found nothing"),
    ],
)
def test_wrong_cells_are_named_with_line_and_column(old, new, message):
    with pytest.raises(SpecError, match=re.escape(message)):
        parse_serving_rows(text(ROW.replace(old, new, 1)), "runs.csv")


def test_a_misspelt_column_is_named():
    with pytest.raises(SpecError, match="unknown column 'tpot_m'; did you mean 'tpot_ms'"):
        parse_serving_rows(text(ROW).replace("tpot_ms", "tpot_m"), "runs.csv")


def test_speculation_and_quality_are_words_of_a_list():
    header = PUBLISHED + ",speculation,quality"
    (row,) = parse_serving_rows(f"{header}\n{ROW},mtp,suspect\n", "runs.csv")
    assert (row.speculation, row.quality) == ("mtp", "suspect")
    with pytest.raises(SpecError, match="speculation: expected one of none, mtp"):
        parse_serving_rows(f"{header}\n{ROW},maybe,primary\n", "runs.csv")


def test_a_file_of_ones_own(tmp_path: Path):
    file = tmp_path / "runs.csv"
    file.write_text(text(ROW.replace(",1024,", ",1024 (random),")))
    assert read_serving_rows(file)[0].input_length == "1024 (random)"


def test_shipped_rows_are_known_by_their_ids_and_stand_once():
    rows = shipped_serving_rows()
    assert len(rows) == len({row.id for row in rows}) == 1804
    runs = [
        (row.accelerator, row.input_length, row.output_length, row.load, row.ttft_s, row.tpot_s)
        for row in rows
        if row.tpot_s and row.ttft_s
    ]
    assert len(runs) == len(set(runs))


def test_every_shipped_source_has_a_citation():
    folder = Path(serving_rows.__file__).parent.parent / "data" / "measurements" / "serving"
    sources = yaml.safe_load((folder / "sources.yaml").read_text("utf-8"))["sources"]
    assert all(source["url"] and source["read_on"] for source in sources.values())
    for row in shipped_serving_rows():
        assert any(row.source.startswith(name) for name in sources), row.source
