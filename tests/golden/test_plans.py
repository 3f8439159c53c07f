"""Whole plans compared with stored ones. `make golden` renews them; the difference is for a person to judge."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import myriad

ROOT = Path(__file__).parents[2]
STORED = Path(__file__).parent
RENEW = "MYRIAD_RENEW_GOLDEN" in os.environ
PASSING = {"version", "plan_s", "search_s", "layouts_per_s", "simulated_s"}
"""Keys whose values differ from run to run or from release to release."""
LONG = {"operations", "transfers", "held_time_s", "held_bytes", "drawing", "pictures"}
"""Columns of timelines and pictures of fabrics: thousands of figures that follow from few, which are there."""


def without_passing(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_passing(below) for key, below in value.items() if key not in PASSING | LONG}
    return [without_passing(below) for below in value] if isinstance(value, list) else value


def differences(stored: Any, found: Any, path: str = "") -> Iterator[str]:
    """One line for every place where two results differ by more than 1e-9 of the value."""
    if isinstance(stored, dict) and isinstance(found, dict):
        for key in sorted(stored.keys() | found.keys()):
            if key not in found or key not in stored:
                yield f"{path}.{key}: {'gone' if key not in found else 'new'}"
            else:
                yield from differences(stored[key], found[key], f"{path}.{key}")
    elif isinstance(stored, list) and isinstance(found, list) and len(stored) == len(found):
        for index, (one, other) in enumerate(zip(stored, found, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif isinstance(stored, float) and isinstance(found, float):
        if not math.isclose(stored, found, rel_tol=1e-9, abs_tol=1e-12):
            yield f"{path}: {stored:.6g} -> {found:.6g}"
    elif stored != found:
        yield f"{path}: {str(stored)[:60]} -> {str(found)[:60]}"


@pytest.mark.parametrize(
    "system",
    [ROOT / "examples" / "one-node.yaml", STORED / "small-mix.yaml", STORED / "small-narrow.yaml"],
    ids=lambda x: x.stem,
)
def test_plan_is_as_stored(system: Path) -> None:
    plan = myriad.plan(system)
    found = without_passing(json.loads(plan.model_dump_json()))
    file = STORED / f"{system.stem}.json"
    if RENEW:
        file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", "utf-8")
    changed = list(differences(json.loads(file.read_text("utf-8")), found))
    assert not changed, f"{len(changed)} values differ (make golden renews them):\n" + "\n".join(changed[:20])
