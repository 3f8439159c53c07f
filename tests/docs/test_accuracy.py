"""The hook that writes the accuracy page: what it takes from the hand-written causes, and what it refuses."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from myriad.spec.validation import RowResult

HOOK = Path(__file__).parents[2] / "docs" / "hooks" / "accuracy.py"


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("accuracy_hook", HOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(**changes: object) -> RowResult:
    values = {
        "id": "x-1", "measured": 1.0, "predicted": 1.5, "error": 0.5, "measured_from": "", "source": "", "model": "m",
        "family": "dense", "lineage": "m", "accelerator": "h100-sxm", "num_gpus": 8, "precision": "bf16", "stack": "s",
        "parallelism": "DP", "layout": "DP8", "assumed": (), "step_s": 1.0, "fits": True, "memory_peak_bytes": 1.0,
        "memory_capacity_bytes": 2.0, "judges_memory": True,
    }  # fmt: skip
    return RowResult.model_validate(values | changes)


def test_causes_are_whole_and_name_fields_that_exist(hook):
    names = [entry["name"] for entry in hook.causes()]
    assert len(names) == len(set(names))
    for entry in hook.causes():
        assert set(entry) == {"name", "match", "cause", "settled_by"}
        assert entry["match"]
        assert set(entry["match"]) <= set(RowResult.model_fields)


def test_the_first_cause_that_fits_in_every_field_counts(hook, monkeypatch):
    entries = ({"name": "a", "match": {"id": "x-*", "family": "moe"}}, {"name": "b", "match": {"id": ["x-[12]", "z"]}})
    monkeypatch.setattr(hook, "causes", lambda: entries)
    assert hook.cause_of(row(family="moe"))["name"] == "a"
    assert hook.cause_of(row())["name"] == "b"
    assert hook.cause_of(row(id="y")) is None


def test_a_worst_row_without_a_cause_is_refused(hook, monkeypatch):
    monkeypatch.setattr(hook, "validation", lambda: SimpleNamespace(per_row=(row(), row(id="x-2"))))
    monkeypatch.setattr(hook, "causes", lambda: ({"name": "a", "match": {"id": "x-1"}},))
    with pytest.raises(ValueError, match="no cause for x-2"):
        hook.worst()
