from __future__ import annotations

from pathlib import Path

import pytest

from myriad.errors import SpecError
from myriad.validate.rows import COLUMNS, REQUIRED, TrainingRow, parse_rows, read_rows, shipped_rows

HEADER = "id,source,model,accelerator,gpus,precision,global_batch_sequences,seq_len,tokens_per_s_per_gpu,mfu_reported"
ROW = "a-1,Me,llama3-8b,h100-sxm,8,bf16,128,8192,1000.5,41.4%"


def text(*lines: str) -> str:
    return "\n".join([HEADER, *lines]) + "\n"


def test_cells_become_base_units():
    (row,) = parse_rows(text(ROW), "runs.csv")
    assert (row.num_gpus, row.seq_len, row.tokens_per_s_per_gpu) == (8, 8192, 1000.5)
    assert row.mfu == pytest.approx(0.414)
    assert row.quality == "primary"
    assert row.tp is None


def test_tera_and_giga_columns():
    header = HEADER + ",model_tflops_per_gpu,peak_mem_gb"
    (row,) = parse_rows(f"{header}\n{ROW},450,71.9\n", "runs.csv")
    assert row.model_flops_per_s == pytest.approx(4.5e14)
    assert row.peak_memory_bytes == pytest.approx(71.9e9)


def test_every_column_fills_a_field():
    assert {field for field, _ in COLUMNS.values()} == set(TrainingRow.model_fields)


def test_further_columns_and_empty_lines_are_ignored():
    rows = parse_rows(f"{HEADER},colour\n{ROW},blue\n\n", "runs.csv")
    assert [r.id for r in rows] == ["a-1"]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ("a-1,Me,llama3-8b,h100-sxm,-8,bf16,128,8192,1000,", "runs.csv:2: gpus: expected a whole number"),
        ("a-1,Me,llama3-8b,h100-sxm,8,bf16,12.5,8192,1000,", "global_batch_sequences: expected a whole number"),
        ("a-1,Me,llama3-8b,h100-sxm,8,bf16,128,8192,nan,", "tokens_per_s_per_gpu: expected a number above 0"),
        ("a-1,Me,llama3-8b,h100-sxm,8,bf16,128,8192,inf,", "tokens_per_s_per_gpu: expected a number above 0"),
        ("a-1,Me,llama3-8b,h100-sxm,8,bf16,128,8 k,,", "seq_len: expected a whole number of at least 1, found '8 k'"),
        ("a-1,Me,llama3-8b,h100-sxm,8,bf16,128,8192,,141%", "mfu_reported: expected a share"),
        ("a-1,Me,,h100-sxm,8,bf16,128,8192,,", "runs.csv:2: model: expected a text, found nothing"),
        ("a-1,Me,llama3-8b,h100-sxm,8,bf16", "runs.csv:2: expected 10 cells as in the header, found 6"),
        ('a-1,"Me,llama3-8b', "not a CSV file"),
        (ROW + "\n" + ROW, "runs.csv:3: id: 'a-1' stands already in line 2"),
        ("", "a header but no rows"),
    ],
)
def test_wrong_cells_are_named_with_line_and_column(cells, message):
    with pytest.raises(SpecError, match=message):
        parse_rows(text(cells), "runs.csv")


def test_quality_is_one_of_three():
    with pytest.raises(SpecError, match="quality: expected one of primary, secondary, suspect, found 'good'"):
        parse_rows(f"{HEADER},quality\n{ROW},good\n", "runs.csv")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER.replace("seq_len", "colour"), "the column 'seq_len' is missing"),
        (HEADER.replace("precision", "precison"), "unknown column 'precison'; did you mean 'precision'"),
        (HEADER + ",peak_mem", "unknown column 'peak_mem'; did you mean 'peak_mem_gb'"),
        (HEADER + ",model", "the column 'model' stands twice"),
        ("", "the file is empty"),
    ],
)
def test_wrong_headers_are_named(header, message):
    with pytest.raises(SpecError, match=message):
        parse_rows(f"{header}\n{ROW}\n", "runs.csv")


def test_files_that_are_no_text(tmp_path: Path):
    binary = tmp_path / "a.csv"
    binary.write_bytes(b"\x89PNG\x00")
    with pytest.raises(SpecError, match="binary file"):
        read_rows(binary)
    with pytest.raises(SpecError, match="no such file"):
        read_rows(tmp_path / "none.csv")


def test_byte_order_mark_and_windows_lines(tmp_path: Path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"\xef\xbb\xbf" + text(ROW).replace("\n", "\r\n").encode())
    assert read_rows(file)[0].id == "a-1"


def test_shipped_rows_are_whole_and_cited():
    rows = shipped_rows()
    assert len(rows) == len({r.id for r in rows}) > 800
    assert all(r.quality == "primary" and r.document for r in rows)
    assert set(REQUIRED) <= set(COLUMNS)


@pytest.mark.parametrize("kind", ["training", "layouts"])
def test_every_shipped_source_has_a_citation(kind):
    import yaml

    from myriad.validate import rows

    folder = Path(rows.__file__).parent.parent / "data" / "measurements" / kind
    sources = yaml.safe_load((folder / "sources.yaml").read_text("utf-8"))["sources"]
    assert all(s["url"] and s["read_on"] for s in sources.values())
    for row in shipped_rows(kind):
        assert any(row.source.startswith(name) for name in sources), row.source


def test_rows_of_layouts_are_kept_apart():
    assert not {r.id for r in shipped_rows("layouts")} & {r.id for r in shipped_rows()}
    assert all(r.tp and r.pp and r.dp and r.step_s for r in shipped_rows("layouts"))
