import csv
import io
import json
import sys

import pytest

import sweep_fixtures
from myriad.errors import MissingDataError, SpecError
from myriad.report.table import check_format, rows_bytes
from myriad.spec.sweep_result import COLUMNS

RESULT = sweep_fixtures.result()


def test_csv_has_every_row_and_column_in_order():
    rows = list(csv.reader(io.StringIO(rows_bytes(RESULT, ".csv").decode())))
    assert rows[0] == list(COLUMNS)
    assert len(rows) == 1 + len(RESULT.rows)
    one = dict(zip(rows[0], rows[1], strict=True))
    assert (one["model"], one["gpus"], one["status"], one["tp"]) == ("dense", "64", "ok", "8")
    assert float(one["step_s"]) == RESULT.rows[0].found.step_s
    assert one["recompute"] == "layernorm+moe_act"
    refused = dict(zip(rows[0], rows[5], strict=True))
    assert (refused["status"], refused["tp"], refused["step_s"]) == ("infeasible", "", "")
    assert "does not fit" not in refused["reason"]
    assert refused["scale_out_bytes_per_s"]


def test_json_lines_are_the_flat_rows():
    lines = rows_bytes(RESULT, ".jsonl").decode().splitlines()
    assert [json.loads(line) for line in lines] == [row.flat() for row in RESULT.rows]


def test_parquet_has_the_types_of_the_columns():
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(rows_bytes(RESULT, ".parquet")))
    names = {str: "string", int: "int64", float: "double", bool: "bool"}
    assert {field.name: str(field.type) for field in table.schema} == {
        name: names[column.kind] for name, column in COLUMNS.items()
    }
    assert table.to_pylist() == [row.flat() for row in RESULT.rows]


def test_values_are_of_the_type_of_their_column():
    for row in RESULT.rows:
        for name, value in row.flat().items():
            kind = COLUMNS[name].kind
            assert value is None or type(value) is kind or (kind is float and type(value) is int), name


def test_a_format_that_is_none_names_those_there_are():
    with pytest.raises(SpecError, match=r"allowed: \.parquet, \.csv, \.jsonl"):
        check_format(".xlsx")


def test_parquet_without_its_package_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDataError, match=r"pip install 'myriad-ai\[sweep\]'"):
        check_format(".parquet")
    check_format(".csv")
