from itertools import product

import pytest
from pydantic import ValidationError

from myriad.spec.sweep import Axes, Grid, SweepBase, SweepPoint
from myriad.spec.sweep_result import COLUMN_OF, COLUMNS

JOB = {"model": "llama3.1-8b", "seq_len": 8192, "global_batch": 128}


def grid(**keys) -> Grid:
    return Grid.model_validate({"myriad": 1, **keys})


def test_points_are_the_product_of_the_axes():
    swept = grid(base=JOB, axes={"accelerator": ["h100", "b200"], "gpus": "8..32 x2", "precision": ["bf16", "fp8"]})
    points = list(swept.points())
    assert len(points) == swept.size == 12
    assert {(p.accelerator, p.gpus, p.precision) for p in points} == set(
        product(("h100", "b200"), (8, 16, 32), ("bf16", "fp8"))
    )
    assert swept.varied == ("accelerator", "gpus", "precision")


def test_a_cluster_is_an_accelerator_and_a_count():
    swept = grid(base=JOB, axes={"cluster": ["h100:{8,16}", "gb200-nvl72:72..288 x2", "b200:64,72"]})
    assert [(p.accelerator, p.gpus) for p in swept.points()] == [
        ("h100", 8), ("h100", 16), ("gb200-nvl72", 72), ("gb200-nvl72", 144), ("gb200-nvl72", 288), ("b200", 64),
        ("b200", 72),
    ]  # fmt: skip
    assert swept.varied == ("accelerator", "gpus")
    assert next(grid(base={**JOB, "cluster": "h100:8"}).points()).gpus == 8


def test_zipped_axes_go_together_and_meet_the_others():
    swept = grid(
        base={**JOB, "gpus": 64},
        axes={"precision": ["bf16", "fp8"]},
        zip=[{"accelerator": ["h100", "h200"], "price": ["2 USD/GPU-h", "3 USD/GPU-h"]}],
    )
    found = [(p.accelerator, round(p.price.amount * 3600, 9), p.precision) for p in swept.points()]
    assert found == [("h100", 2, "bf16"), ("h100", 2, "fp8"), ("h200", 3, "bf16"), ("h200", 3, "fp8")]
    assert swept.lengths == {"accelerator+price": 2, "precision": 2}


def test_zipped_values_may_repeat_but_not_together():
    same = {"accelerator": ["h100", "h200"], "price": ["2 USD/GPU-h", "2 USD/GPU-h"]}
    assert grid(base={**JOB, "gpus": 64}, zip=[same]).size == 2
    assert grid(base={**JOB, "gpus": 64}, zip=[same]).varied == ("accelerator",)
    with pytest.raises(ValidationError, match="entries 1 and 2 are the same"):
        grid(base={**JOB, "gpus": 64}, zip=[{**same, "accelerator": ["h100", "h100"]}])


def test_lists_of_switches_are_values_too():
    swept = grid(base={**JOB, "cluster": "h100:8"}, axes={"switches": [[], ["compile"]]})
    assert [p.switches for p in swept.points()] == [(), ("compile",)]


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"base": JOB}, "accelerator is missing.*or cluster"),
        ({"base": {**JOB, "cluster": "h100:8"}, "axes": {"gpus": [8]}}, "gpus is given by base.cluster too"),
        ({"base": {**JOB, "gpus": 8}, "axes": {"accelerator": ["h100"], "seq_len": [1]}}, "by base.seq_len too"),
        ({"base": {**JOB, "cluster": "h100:8", "deadline": "3 days"}}, "a deadline needs tokens"),
        ({"axes": {"gpus": [8, "8"]}}, "values 1 and 2 are the same"),
        ({"axes": {"gpus": []}}, "at least 1"),
        ({"axes": {"cluster": "h100"}}, "expected NAME:COUNT"),
        ({"zip": [{"gpus": [8, 16]}]}, "at least two axes"),
        ({"zip": [{"gpus": [8, 16], "model": ["a"]}]}, "2 values of gpus"),
        ({"base": {**JOB, "model": "x"}, "axes": {"cluster": "h:1..8000 +1", "mtp_depths": "0..200 +1"}}, "points"),
    ],
)
def test_a_wrong_grid_says_what_is_wrong(keys, wanted):
    with pytest.raises(ValidationError, match=wanted):
        grid(**keys)


def test_points_axes_and_columns_know_the_same_keys():
    assert set(Axes.model_fields) == set(SweepBase.model_fields) == set(SweepPoint.model_fields)
    keys = set(SweepPoint.model_fields) - {"cluster"}
    assert {COLUMN_OF.get(key, key) for key in keys} <= set(COLUMNS)
