"""Rows of measured collectives: what their bandwidths count, what is estimated, and how they judge."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from myriad import catalog
from myriad.errors import SpecError
from myriad.estimate.collectives import all_reduce_in_ring_s, all_reduce_in_switch_s, all_reduce_s
from myriad.estimate.peers import expert_transfer_s
from myriad.estimate.tiers import place
from myriad.validate import interconnect_rows
from myriad.validate.errors import SkipError
from myriad.validate.interconnect import repeated, validate_interconnect_rows
from myriad.validate.interconnect_cases import TORCH_CALL_S, case_of, size_class
from myriad.validate.interconnect_rows import InterconnectRow, parse_interconnect_rows, shipped_interconnect_rows

CSV = """id,source,node,gpus,collective,message_bytes,time_us,bandwidth_GBps,timed_by,fitted
a,a log,dgx-h100,8,all_reduce,1048576,28,,nccl-tests,yes
b,a log,h200,8,all_gather,536870912,,337,torch,
"""


def row(**changes: object) -> InterconnectRow:
    values = {"id": "x", "source": "a log", "node": "dgx-h100", "gpus": 8, "collective": "all_reduce",
              "message_bytes": 2.0**30, "time_s": 4e-3}  # fmt: skip
    return InterconnectRow.model_validate(values | changes)


def exchange(**changes: object) -> InterconnectRow:
    return row(
        **{"node": "hgx-h800", "gpus": 16, "collective": "dispatch", "message_bytes": None, "time_s": None,
           "bytes_per_s": 43e9, "bandwidth_of": "far", "kernel": "normal", "tokens": 4096, "hidden": 7168, "topk": 8,
           "experts": 256, "most_domains": 4} | changes
    )  # fmt: skip


def test_a_csv_file_becomes_rows():
    first, second = parse_interconnect_rows(CSV, "logs.csv")
    assert (first.time_s, first.fitted, first.bandwidth_of) == (pytest.approx(28e-6), True, "bus")
    assert (second.bytes_per_s, second.timed_by, second.fitted) == (337e9, "torch", False)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("all_gather", "allgather", "logs.csv:3: collective: expected one of all_reduce"),
        (",28,", ",fast,", "logs.csv:2: time_us: expected microseconds"),
        ("torch", "hand", "logs.csv:3: timed_by: expected one of nccl-tests, torch"),
        ("yes", "sure", "logs.csv:2: fitted: expected yes or no"),
        ("gpus", "gpu", "unknown column 'gpu'"),
    ],
)
def test_a_wrong_cell_is_named(old, new, complaint):
    with pytest.raises(SpecError, match=complaint):
        parse_interconnect_rows(CSV.replace(old, new, 1), "logs.csv")


def test_bus_bandwidth_and_time_are_one_measurement():
    by_time = case_of(row())
    bandwidth = 1.75 * 2.0**30 / 4e-3
    by_bandwidth = case_of(row(time_s=None, bytes_per_s=bandwidth))
    assert by_bandwidth.measured_s == pytest.approx(by_time.measured_s)
    assert by_time.counted_bytes / by_time.measured_s == pytest.approx(bandwidth)
    algorithm = case_of(row(time_s=None, bytes_per_s=bandwidth / 1.75, bandwidth_of="algorithm"))
    assert algorithm.measured_s == pytest.approx(4e-3)


def test_the_algorithm_is_the_librarys_choice_unless_stated():
    placement = place(8, 1, catalog.cluster("dgx-h100:8").links)
    for algorithm, time_s in (("", all_reduce_s), ("ring", all_reduce_in_ring_s), ("nvls", all_reduce_in_switch_s)):
        assert case_of(row(algorithm=algorithm)).predicted_s == time_s(2.0**30, placement)
    with pytest.raises(SkipError, match="no switch that sums"):
        case_of(row(node="dgx-a100-80gb", algorithm="nvls"))


def test_a_loop_in_torch_measures_the_call_too():
    assert case_of(row(timed_by="torch")).predicted_s == pytest.approx(case_of(row()).predicted_s + TORCH_CALL_S)


def test_expert_exchanges_count_copies_to_ranks_domains_or_experts():
    links = catalog.cluster("hgx-h800:16").links
    serving = catalog.kernels("h800-sxm")[0].serving
    assert serving is not None
    token = 7168 * (1 + 4 / 128)
    case = case_of(exchange())
    assert case.predicted_s == expert_transfer_s(
        4096, token, 8, 256, 16, links, serving.exchange["normal"].dispatch, False
    )
    two_domains = 2 * (1 - 0.5**8)
    assert case.counted_bytes == pytest.approx(4096 * token * two_domains)
    assert case_of(exchange(bandwidth_of="near")).counted_bytes == pytest.approx(
        4096 * token * 16 * (1 - (15 / 16) ** 8)
    )
    assert case_of(exchange(bandwidth_of="copies")).counted_bytes == pytest.approx(4096 * token * 8)
    assert case_of(exchange(collective="combine")).counted_bytes == pytest.approx(4096 * 7168 * 2 * two_domains)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quality": "simulated"}, "quality is simulated"),
        ({"algorithm": "hfreduce"}, "HFReduce"),
        ({"gpus": None}, "on how many GPUs"),
        ({"node": "hal-9000"}, "no node for 'hal-9000'"),
        ({"gpus": 12}, "not a whole number of dgx-h100 nodes"),
        ({"node": "gb200-nvl72", "domain": 4}, "joined 4 GPUs, those of gb200-nvl72 join 72"),
        ({"message_bytes": None}, "how many bytes"),
        ({"gpus": 1}, "a group of one"),
        ({"bandwidth_of": "far"}, "far is no bandwidth of a collective"),
        ({"time_s": None}, "neither a time nor a bandwidth"),
    ],
)
def test_rows_that_cannot_be_judged_say_why(changes, reason):
    with pytest.raises(SkipError, match=reason):
        case_of(row(**changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"topk": None}, "without its kernel, tokens"),
        ({"bandwidth_of": "bus"}, "bus is no bandwidth of an expert exchange"),
        ({"node": "dgx-a100-80gb"}, "no normal exchange was measured on dgx-a100-80gb"),
    ],
)
def test_exchanges_that_cannot_be_judged_say_why(changes, reason):
    with pytest.raises(SkipError, match=reason):
        case_of(exchange(**changes))


def test_errors_are_of_the_bandwidth_the_worst_first():
    exact = case_of(row()).predicted_s
    result = validate_interconnect_rows(
        [row(id="near", time_s=exact * 1.1), row(id="far", time_s=exact * 0.5, fitted=True), row(id="no", gpus=None)]
    )
    assert (result.rows, result.predicted) == (3, 2)
    assert [(one.id, pytest.approx(one.error)) for one in result.per_row] == [("far", -0.5), ("near", 0.1)]
    assert result.skipped == {"the source does not say on how many GPUs": ("no",)}
    assert result.groups["fit"]["rows that figures of links were fitted to"].rows == 1
    assert result.groups["collective, size, GPUs"]["all_reduce, above 16 MiB, 8"].mean_abs_error == pytest.approx(0.3)
    assert validate_interconnect_rows([row(gpus=None)]).overall is None


def test_sizes_have_three_classes():
    assert [size_class(size) for size in (8, 2**18, 2**18 + 1, 2**24, 2**25)] == [
        "up to 256 KiB", "up to 256 KiB", "to 16 MiB", "to 16 MiB", "above 16 MiB",
    ]  # fmt: skip


def test_only_different_sources_measure_twice():
    cases = [
        case_of(row(id=str(i), source=s, time_s=t))
        for i, (s, t) in enumerate((("a", 4e-3), ("a", 5e-3), ("b", 4.4e-3)))
    ]
    found = repeated(cases)
    assert found is not None
    assert found.rows == 2
    assert found.mean_abs_error == pytest.approx((0.1 + 5 / 4.4 - 1) / 2)
    assert repeated(cases[:2]) is None


def test_shipped_rows_are_whole_and_cited():
    folder = Path(interconnect_rows.__file__).parent.parent / "data" / "measurements" / "interconnect"
    sources = yaml.safe_load((folder / "sources.yaml").read_text("utf-8"))["sources"]
    rows = shipped_interconnect_rows()
    assert len(rows) == len({one.id for one in rows}) == 224
    assert {one.source for one in rows} == set(sources)
    assert all(source["title"] and source["read_on"] for source in sources.values())
    assert all(one.document.startswith(("http", "quoted by http")) for one in rows)
    assert all(catalog.find("nodes", one.node) for one in rows if one.node)
    assert not any(one.fitted and one.quality != "primary" for one in rows)
