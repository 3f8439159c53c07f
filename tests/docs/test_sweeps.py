"""The page on sweeps names every column of the files, in their order."""

from __future__ import annotations

import re
from pathlib import Path

from myriad.spec.sweep_result import COLUMNS

PAGE = Path(__file__).parents[2] / "docs" / "sweeps.md"


def test_columns_are_documented_in_their_order() -> None:
    table = PAGE.read_text("utf-8").split("| columns | what |")[1]
    names = [name for row in re.findall(r"^\| (.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert names == list(COLUMNS)
