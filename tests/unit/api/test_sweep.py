import json
import sys

import pytest

from myriad.api.search import search_training
from myriad.api.sweep import point_key, row_of, search_point, searched_point, sweep
from myriad.engine import Local
from myriad.errors import LaunchError, SpecError
from myriad.spec.job import TrainingWork
from myriad.spec.sweep import Grid
from myriad.spec.sweep_result import Found

BASE = {"model": "llama3.1-8b", "cluster": "h100:16", "seq_len": 8192, "global_batch": 64}


def grid(**keys) -> Grid:
    return Grid.model_validate({"myriad": 1, "base": BASE, **keys})


def without(*keys):
    return {name: value for name, value in BASE.items() if name not in keys}


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch, request):
    """Most of these tests are not about engines, and a process takes longer to start than a search."""

    def run(points, function, engine, on_result):
        for key, one in points.items():
            on_result(key, function(one))

    if "engine" not in request.node.name:
        monkeypatch.setattr(sys.modules["myriad.api.sweep"], "run_points", run)


def point(**changes):
    return next(grid().points()).model_copy(update=changes)


def test_a_row_of_an_engine_is_what_search_says():
    (row,) = sweep(grid(), engine=Local(1)).rows
    best = search_training("llama3.1-8b", "h100:16", TrainingWork(seq_len=8192, global_batch=64)).best
    assert row.found.layout == best.layout
    assert row.found.step_s == best.step_s
    assert (row.found.low_step_s, row.found.high_step_s) == (best.band.low_step_s, best.band.high_step_s)
    flat = row.flat()
    assert sum(flat[f"{part}_s"] for part in row.found.time_parts_s) == pytest.approx(flat["step_s"])
    assert flat["scale_out_bytes_per_s"] == 50e9


def test_bandwidth_of_a_point_takes_the_place_of_the_nodes():
    rows = sweep(grid(axes={"scale_out_bandwidth": ["50 Gb/s", "400 Gb/s"]})).rows
    assert rows[0].found.step_s > rows[1].found.step_s
    assert rows[1].found.step_s == sweep(grid()).rows[0].found.step_s


def test_points_that_differ_in_price_share_a_search(tmp_path):
    prices = {"price": ["2 USD/GPU-h", "14 CNY/GPU-h"], "tokens": ["1 T", "2 T"]}
    result = sweep(grid(axes=prices))
    assert (len(result.rows), result.searches) == (4, 1)
    first = result.rows[0]
    assert first.gpu_hours == pytest.approx(16 * first.days * 24)
    assert first.cost_usd == pytest.approx(2 * first.gpu_hours)
    assert first.usd_per_million_tokens == pytest.approx(first.cost_usd / 1e6)
    assert first.gpu_hours_per_billion_tokens == pytest.approx(first.gpu_hours / 1e3)
    assert result.rows[2].price_usd_per_gpu_hour != 14


def test_no_point_vanishes():
    axes = {"model": ["llama3.1-8b", "llama3.1-405b"], "gpus": [12, 16]}
    result = sweep(grid(base=without("cluster", "model") | {"accelerator": "h100"}, axes=axes))
    assert [row.found.status for row in result.rows] == ["error", "ok", "error", "infeasible"]
    assert "not a whole number of dgx-h100 nodes" in result.rows[0].found.reason
    assert "memory" in result.rows[3].found.reason


def test_a_deadline_that_cannot_be_met_is_infeasible():
    late = {**BASE, "tokens": "15 T", "deadline": "1 day"}
    (row,) = sweep(grid(base=late)).rows
    assert row.found.status == "infeasible"
    assert "no layout is fast enough" in row.found.reason
    # The fewest accelerators that are in time, which depends on the tokens: these are searched apart.
    aim = {**BASE, "objective": "gpus", "deadline": "120 days"}
    rows = sweep(grid(base=aim, axes={"tokens": ["500 B", "1 T"]})).rows
    assert rows[0].found.num_gpus <= rows[1].found.num_gpus
    assert all(row.days <= 120 for row in rows)


def test_unknown_names_are_refused_before_anything_runs():
    for base, wanted in (
        ({"model": "lama3.1-8b"}, "base.model: unknown model"),
        ({"cluster": "h10O:16"}, "base.cluster: .*did you mean 'h100'"),
        ({"stack": "nemo@25.03"}, "base.stack"),
    ):
        with pytest.raises(SpecError, match=wanted):
            sweep(grid(base=BASE | base))


def test_the_key_of_a_search_knows_its_point_and_nothing_of_money():
    keys = {point_key(searched_point(point(**changes))) for changes in ({}, {"tokens": 1e12}, {"seq_len": 4096})}
    assert len(keys) == 2


def test_a_worker_with_another_catalog_is_refused():
    with pytest.raises(LaunchError, match="another version"):
        search_point(point(), resting_on="0123")


def test_a_second_call_reuses_what_is_the_same(tmp_path):
    journal = tmp_path / "rows.journal"
    first = sweep(grid(axes={"precision": ["bf16", "fp8"]}), journal=journal)
    again = sweep(grid(axes={"precision": ["fp8", "bf16"]}), journal=journal)
    assert (first.reused, again.reused, again.searches) == (0, 2, 2)
    assert sorted(r.model_dump_json() for r in again.rows) == sorted(r.model_dump_json() for r in first.rows)
    wider = sweep(grid(axes={"precision": ["bf16", "fp16"]}), journal=journal)
    assert (wider.reused, wider.searches) == (1, 2)
    assert len(journal.read_text().splitlines()) == 1 + 3


def test_results_of_other_formulas_are_not_taken(tmp_path):
    journal = tmp_path / "rows.journal"
    sweep(grid(), journal=journal)
    lines = journal.read_text().splitlines()
    entry = json.loads(lines[1])
    journal.write_text("\n".join([lines[0], json.dumps({**entry, "key": "0" * 32}), ""]))
    assert sweep(grid(), journal=journal).reused == 0


def test_a_row_without_a_layout_has_no_money():
    row = row_of(point(), Found(status="infeasible", reason="too small"), 1.0)
    assert row.usd_per_million_tokens is None
    assert row.price_usd_per_gpu_hour == 3600


def test_a_fabric_is_an_axis_and_slows_what_crosses_it():
    base = {**BASE, "cluster": "h100:512", "global_batch": 512}
    rows = sweep(grid(base=base, axes={"fabric": ["fat-tree-ndr", "fat-tree-ndr-4to1"]})).rows
    whole, narrow = (row.found for row in rows)
    assert whole.scale_out_bytes_per_s == narrow.scale_out_bytes_per_s == 50e9
    assert whole.step_s < narrow.step_s


def test_a_fabric_that_cannot_join_so_many_makes_a_point_infeasible():
    (row,) = sweep(grid(base={**BASE, "fabric": "back-to-back", "cluster": "h100:64"})).rows
    assert row.found.status == "infeasible"
    assert row.found.reason == "cards of two hosts can be cabled to each other, not those of 8"
