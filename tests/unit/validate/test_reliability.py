"""How published failures are judged, with predictors made up for the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from myriad.errors import SpecError
from myriad.validate.reliability import Goodput, Predictors, validate_published
from myriad.validate.reliability_rows import FOLDER, PublishedCluster, read_published, shipped_reliability

HEAD = "schema: 1\nsource: {title: a log, read_on: 2026-11}\n"
PREDICT = Predictors(
    counts=lambda cluster: {"gpu": 100.0, "nic": 1.0},
    draw=lambda rate, nodes: (100, 100 * 1000 * 86400.0 / (rate * nodes)),
    goodput=lambda question: Goodput(0.95, 0.94, 0.93, 0.96, ("a guess",)),
)


@pytest.fixture
def judged(tmp_path: Path):
    def judge(text: str):
        path = tmp_path / "mine.yaml"
        path.write_text(HEAD + text, "utf-8")
        return validate_published([read_published(path)], PREDICT, runs=2, seed=0)

    return judge


def test_counts_are_judged_by_poisson_intervals(judged):
    found = judged(
        "clusters: [{id: a, what: a, accelerators: 80, days: 9, interruptions: 150, counts: all, profile: x, causes: "
        "{GPU: {count: 140, cause: gpu}, NIC: {count: 4, cause: nic}}}]"
    )
    rows = {row.what: row for row in found.per_row}
    assert (rows["GPU"].low, rows["GPU"].high, rows["GPU"].holds) == (81, 120, False)
    assert (rows["NIC"].low, rows["NIC"].high, rows["NIC"].holds) == (0, 3, False)
    assert (rows["all of these"].published, rows["all of these"].simulated) == (144, 101)
    assert found.parts["interruptions by cause"].model_dump() == {"rows": 3, "hold": 0, "bounds": 0}


def test_clusters_are_predicted_by_those_that_count_alike(judged):
    lines = [
        f"{{id: c{i}, what: c, accelerators: 8, per_1000_node_days: {r}, days: 1000, counts: all}}"
        for i, r in enumerate((1, 2, 4, 64))
    ]
    lines += ["{id: other, what: o, accelerators: 8, per_1000_node_days: 9, days: 1, counts: infrastructure}"]
    lines += ["{id: bound, what: b, accelerators: 8, per_1000_node_days: 3, days: 1, counts: all, is: at-least}"]
    found = {row.id: row for row in judged(f"clusters: [{', '.join(lines)}]").per_row}
    assert "other" not in found  # no other cluster counts like it
    assert found["c3"].formula == pytest.approx(2.0)
    assert found["c3"].error == pytest.approx(2.0 / 64.0 - 1.0)
    assert not found["c3"].holds
    assert found["c0"].holds
    assert found["c1"].formula == pytest.approx((1 * 4 * 64) ** (1 / 3))
    assert (found["bound"].claim, found["bound"].formula > 3, found["bound"].holds) == ("at-least", True, True)
    assert "6 interruptions for 2 counted" in found["c1"].note


def test_mttf_by_size(judged):
    found = judged(
        "mttf: [{id: a, accelerators: 16384, published: 1.8 h, per_1000_node_days: 6.5},"
        " {id: b, accelerators: 1024, published: 7.9 h, per_1000_node_days: 6.5}]"
    )
    rows = {row.id: row for row in found.per_row}
    assert rows["a"].formula == pytest.approx(1.803 * 3600, rel=1e-3)
    assert (rows["a"].holds, rows["b"].holds) == (True, False)
    assert all(rows[f"law-{size}"].holds for size in (8, 131072))
    assert found.per_row[0].id == "b"


@pytest.mark.parametrize(
    ("published", "claim", "holds"),
    [(0.95, "exact", True), (0.925, "exact", False), (0.97, "projected", False), (0.9, "at-least", True),
     (0.955, "at-least", True), (0.98, "at-least", False)],
)  # fmt: skip
def test_effective_training_time(judged, published, claim, holds):
    stated = "{accelerators: 64, mtti: 1 h, checkpoint_interval: 10 min}"
    found = judged(
        f"runs: [{{id: a, what: a, published: {published}, is: {claim}, stated: {stated}, taken: {{downtime: 60}}, "
        "reasons: {downtime: as elsewhere}}]"
    )
    (row,) = found.per_row
    assert row.holds == holds
    assert row.error == pytest.approx(0.94 - published)
    assert row.taken == ("downtime 60: as elsewhere", "a guess")
    assert found.parts["ETTR"].bounds == (holds and claim == "at-least")


def test_overheads(judged):
    found = judged(
        "overheads: [{id: a, what: a, published: 1 %, interval: 1 h, blocking: 36}]\n"
        "every_step: [{id: b, what: b, blocking: 1, kept: 0.8}, {id: c, what: c, blocking: 4, kept: 0.5}]"
    )
    rows = {row.id: row for row in found.per_row}
    assert rows["a"].formula == pytest.approx(0.01)
    assert rows["b"].formula == pytest.approx(1 / 5)
    assert rows["b"].holds
    assert rows["c"].formula == pytest.approx(4 / 8)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("clusters: [{id: a, what: a, accelerators: 8, days: 3, counts: all}]", "give mttf, or two of days"),
        ("clusters: [{id: a, what: a, accelerators: 8, mttf: 1 h, counts: all, profile: x}]", "causes and profile go"),
        ("clusters: [{id: a, what: a, accelerators: 8, mttf: 1 h, counts: some}]", "allowed: infrastructure, all"),
        ("runs: [{id: a, what: a, published: 0.9, is: exact, stated: {}, taken: {mtti: 5}}]", "reasons: each key"),
        ("runs: [{id: a, what: a, published: 0.9, is: exact, stated: {accelerators: 8}}]", "expected one of mtti"),
        ("runs: [{id: a, what: a, published: 0.9, is: exact, stated: {acelerators: 8}}]", "unknown key 'acelerators'"),
        ("every_step: [{id: a, what: a, blocking: 1, kept: 1}]", "less than 1"),
    ],
)
def test_wrong_files(judged, text, said):
    with pytest.raises(SpecError) as error:
        judged(text)
    assert "mine.yaml:" in str(error.value)
    assert said in str(error.value)


def test_rates_follow_from_what_is_stated():
    usual = {"id": "a", "what": "a", "accelerators": 800, "counts": "all"}
    assert PublishedCluster(**usual, days=10, interruptions=5).rate == 5.0
    assert PublishedCluster(**usual, mttf="24 h").rate == 10.0
    both = PublishedCluster(**usual, days=10, per_1000_node_days=3.0)
    assert (both.rate, both.events) == (3.0, 3.0)


def test_shipped_files_have_sources_and_unique_ids():
    files = shipped_reliability()
    assert len(files) == len(list(FOLDER.glob("*.yaml"))) >= 8
    assert all(file.source.url or "second-hand" in file.source.note.lower() for file in files)
    parts = [
        [one.id for file in files for one in (*file.clusters, *file.unjudged)],
        [one.id for file in files for one in (*file.runs, *file.overheads, *file.every_step)],
        [one.id for file in files for one in file.mttf],
    ]
    assert all(len(set(ids)) == len(ids) for ids in parts)
