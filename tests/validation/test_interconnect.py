"""Links on published times and bandwidths, held to the errors that they reached: may be lowered, never raised."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from myriad import api, catalog
from myriad.spec.interconnect import InterconnectValidation


@pytest.fixture(scope="module")
def result() -> InterconnectValidation:
    return api.validate_interconnect()


def medians(result: InterconnectValidation, kind: str) -> dict[str, float]:
    return {name: group.median_abs_error for name, group in result.groups[kind].items()}


def test_all_rows_are_judged_but_those_quoted_simulated_or_not_described(result):
    assert sum(map(len, result.skipped.values())) + result.predicted == result.rows
    assert result.predicted >= 192
    reasons = ("quality is", "how many GPUs", "HFReduce")
    assert all(any(said in reason for said in reasons) for reason in result.skipped)


def test_errors_of_rows_that_no_figure_was_fitted_to(result):
    found = result.groups["fit"]["rows that no figure was fitted to"]
    assert found.rows >= 150
    assert found.median_abs_error <= 0.04


@pytest.mark.parametrize(
    ("collective", "most"),
    [("all_reduce", 0.035), ("all_gather", 0.03), ("reduce_scatter", 0.03), ("alltoall", 0.055),
     ("dispatch", 0.085), ("combine", 0.04)],
)  # fmt: skip
def test_errors_by_collective(result, collective, most):
    assert medians(result, "collective")[collective] <= most


@pytest.mark.parametrize(
    ("size", "most"),
    [("up to 256 KiB", 0.065), ("to 16 MiB", 0.055), ("above 16 MiB", 0.025), ("128 tokens", 0.025),
     ("4,096 tokens", 0.12)],
)  # fmt: skip
def test_errors_by_size(result, size, most):
    assert medians(result, "size")[size] <= most


@pytest.mark.parametrize(
    ("node", "most"),
    [("dgx-h100", 0.045), ("dgx-h200", 0.025), ("dgx-b200", 0.04), ("aws-p6-b200", 0.035), ("hgx-h800", 0.04),
     ("dgx-a100-80gb", 0.115), ("mi300x-8gpu", 0.09)],
)  # fmt: skip
def test_errors_by_node(result, node, most):
    assert medians(result, "node")[node] <= most


@pytest.mark.parametrize("chip", ["h200", "b200"])
def test_rings_and_sums_in_the_switch_by_number_of_gpus(result, chip):
    """8 GiB on 4 to 8 GPUs, NVLS on and off: which way NCCL goes, and how fast, follows from two bandwidths."""
    rows = [one for one in result.per_row if one.id.startswith(f"ic-{chip}-") and "8GiB-nvls" in one.id]
    assert len(rows) == 10
    assert max(abs(one.error) for one in rows) <= 0.05


def test_the_shipped_links_meet_the_operator_tables():
    """Errors kept with the kernels: medians by collective and size, over GPU counts, but for the L40S (a bad host)."""
    kept = json.loads((resources.files("myriad") / "data" / "kernels" / "residuals.json").read_text("utf-8"))["links"]
    judged = [one for one in kept if one["accelerator"] != "l40s"]
    assert {one["accelerator"] for one in judged} == {"a100_sxm", "h100_sxm", "b200_sxm", "gb200"}
    most = {"up to 256 KiB": 0.18, "to 16 MiB": 0.22, "above 16 MiB": 0.21}
    for one in judged:
        assert one["errors"]["median"] <= most[one["size"]], one
    small = [one["errors"]["median"] for one in judged if one["size"] == "up to 256 KiB"]
    assert sorted(small)[len(small) // 2] <= 0.045


def test_nodes_that_sum_in_the_switch_are_those_with_such_switches():
    sums = {name for name in catalog.names("nodes") if catalog.node(name).scale_up_reduction_share is not None}
    assert {"dgx-h100", "dgx-h200", "hgx-h800", "dgx-b200", "gb200-nvl72"} <= sums
    assert not any(name.startswith(("dgx-a100", "mi3", "tpu", "l40s")) for name in sums)
