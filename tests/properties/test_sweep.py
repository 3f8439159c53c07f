"""What holds for every sweep: rows are the product of the axes, whatever their order and however often it stopped."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

from myriad.api.sweep import sweep
from myriad.spec.sweep import Grid
from myriad.spec.sweep_result import Found, SweepResult

AXES = {
    "model": ["llama3.1-8b", "qwen3-8b"],
    "accelerator": ["h100", "b200", "mi300x"],
    "gpus": [8, 16, 24],
    "seq_len": [4096, 8192],
    "global_batch": [64, 128, 256],
    "precision": ["bf16", "fp8"],
    "scale_out_bandwidth": ["200 Gb/s", "400 Gb/s"],
    "switches": [[], ["compile"]],
    "price": ["2 USD/GPU-h", "3 USD/GPU-h"],
}
MODULE = sys.modules["myriad.api.sweep"]
NEEDED = ("model", "accelerator", "gpus", "seq_len", "global_batch")


@st.composite
def axes_given(draw: st.DrawFn) -> dict[str, list]:
    """Some axes with some of their values, in any order."""
    names = {*NEEDED, *draw(st.sets(st.sampled_from(sorted(AXES))))}
    chosen = {
        name: draw(st.lists(st.sampled_from(AXES[name]), min_size=1, max_size=3, unique_by=str))
        for name in sorted(names)
    }
    return {name: chosen[name] for name in draw(st.permutations(sorted(chosen)))}


def grid(axes: dict[str, list], zipped: list[dict] | None = None) -> Grid:
    return Grid.model_validate({"myriad": 1, "axes": axes, "zip": zipped or []})


@given(axes_given(), st.data())
def test_rows_are_the_product_whatever_the_order(axes, data):
    points = list(grid(axes).points())
    size = 1
    for values in axes.values():
        size *= len(values)
    assert len(points) == grid(axes).size == size
    assert len({point.model_dump_json() for point in points}) == size
    shuffled = {name: axes[name] for name in data.draw(st.permutations(sorted(axes)))}
    assert list(grid(shuffled).points()) == points


@given(axes_given())
def test_zipping_keeps_the_pairs_of_a_crossing(axes):
    axes = axes | {"gpus": [8, 16], "global_batch": [64, 128]}
    apart = {name: values for name, values in axes.items() if name not in ("gpus", "global_batch")}
    zipped = list(grid(apart, [{"gpus": axes["gpus"], "global_batch": axes["global_batch"]}]).points())
    assert zipped == [p for p in grid(axes).points() if (p.gpus, p.global_batch) in ((8, 64), (16, 128))]


@pytest.fixture
def counted(monkeypatch):
    """Searches that cost nothing, counted."""
    searched: list[str] = []

    def search(point, resting_on):
        searched.append(point.model_dump_json())
        if point.gpus == 24:
            return Found(status="infeasible", reason=f"{point.model} is too large")
        return Found(status="ok", num_gpus=point.gpus, tokens_per_s=0.1 * point.gpus, step_s=1 / 3)

    def run(points, function, engine, on_result):
        for key, point in points.items():
            on_result(key, function(point))

    monkeypatch.setattr(MODULE, "search_point", search)
    monkeypatch.setattr(MODULE, "run_points", run)
    return searched


def rows_of(result: SweepResult) -> list[str]:
    return [row.model_dump_json() for row in result.rows]


def test_resumed_is_uninterrupted(counted):
    @runs(max_examples=40)
    @given(axes_given(), st.lists(st.integers(0, 40), max_size=3), st.integers(0, 200))
    def check(axes, stops, cut_bytes):
        whole = sweep(grid(axes))
        counted.clear()
        with TemporaryDirectory() as folder:
            journal = Path(folder) / "rows.journal"
            for stop in stops:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(MODULE, "run_points", stopping_after(stop))
                    with suppress(KeyboardInterrupt):
                        sweep(grid(axes), journal=journal)
            before = len(counted)
            resumed = sweep(grid(axes), journal=journal)
            assert rows_of(resumed) == rows_of(whole)
            assert len(counted) == len(set(counted)) == whole.searches
            assert resumed.reused == before
            journal.write_bytes(journal.read_bytes()[: -1 - cut_bytes])
            assert rows_of(sweep(grid(axes), journal=journal)) == rows_of(whole)

    check()


def stopping_after(number: int):
    def run(points, function, engine, on_result):
        for done, (key, point) in enumerate(points.items()):
            if done == number:
                raise KeyboardInterrupt
            on_result(key, function(point))

    return run
