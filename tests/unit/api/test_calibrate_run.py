"""A run on a machine that is slower, breaks more often and restarts faster than planned: the plan learns of all."""

from __future__ import annotations

from pathlib import Path

import pytest

from myriad import api, catalog
from myriad.api.calibrate_over_time import RunEvidence
from myriad.api.calibrate_run import calibrate_run
from myriad.api.training_launch import training_launch
from myriad.errors import SpecError
from myriad.run.report import run_report
from myriad.spec.run import RunSummary
from myriad.spec.system import System
from run_histories import History

SYSTEM = """
myriad: 1
name: lab
pools:
  node:
    node: dgx-h100
    count: 64
    reliability: llama3-h100
    storage: {write: 10 GB/s, read: 10 GB/s}
    terms: {kind: rented, price: 2 USD/GPU-h}
jobs:
  tune:
    {model: llama3-8b, tokens: 10 B tokens, seq_len: 8192, global_batch: 512, stack: fsdp, layout: {dp: 64, zero: 3}}
"""


@pytest.fixture
def system_file(tmp_path: Path) -> Path:
    path = tmp_path / "lab.yaml"
    path.write_text(SYSTEM)
    return path


def evidence_of(system: System, slower: float = 1.0) -> RunEvidence:
    """Sixty steps, three interruptions in about a quarter of an hour, restarts in 60 s."""
    launch = training_launch(system, "tune", "local")
    run = History(step_s=slower * launch.promise.step_s, ranks=1)
    run.begin("000.000")
    run.train("000.000", 1, 15, checkpoint_every=15)
    for life in range(1, 4):
        run.now_s += 5.0
        run.begin(f"000.00{life}", 15 * life, start_s=60.0, read_s=2.0)
        run.train(f"000.00{life}", 15 * life + 1, 15 * life + 15, checkpoint_every=15)
    run.finish("000.003", 60)
    summary = RunSummary(run="tune-0001", name="tune", state="finished", scheduler="local", folder="/x",
                         created_s=run.start_s, ended_s=run.time_s, step=60, steps=60)  # fmt: skip
    return RunEvidence(run_report(summary, launch, run.lives, run.told, run.time_s), launch)


def test_the_plan_says_afterwards_what_the_run_measured(
    system_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = catalog.read_spec(system_file, System)
    result, files = calibrate_run(evidence_of(system, slower=1.25), system, "../lab.yaml")
    assert result.measured_step_s == pytest.approx(1.25 * result.predicted_before_s)
    assert result.predicted_after_s == pytest.approx(result.measured_step_s, rel=0.01)
    assert result.before is not None
    assert result.after is not None
    assert result.after.days == pytest.approx(
        result.before.days * (result.predicted_after_s / result.predicted_before_s) * result.before.ettr
        / result.after.ettr, rel=1e-3,
    )  # fmt: skip
    refits = {one.name: one for one in result.refits}
    assert refits["failures"].after < refits["failures"].before / 2.0
    assert refits["failures"].low < refits["failures"].after < refits["failures"].high
    assert 50.0 < refits["restart"].after < refits["restart"].before
    # The files alone, given to `myriad plan`, say the same.
    folder = tmp_path / "calibrated"
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    monkeypatch.setenv("MYRIAD_CATALOG", str(folder))
    again = api.plan(folder / "system.yaml").jobs[0].chosen
    assert again is not None
    assert again.step_s == pytest.approx(result.after.step_s, rel=1e-3)
    assert again.goodput == pytest.approx(result.after.ettr, rel=1e-3)
    entry = catalog.entry("kernels", "h100")
    assert entry.figures["training_share.bf16"].source == "tune-0001"
    source = entry.sources["tune-0001"]
    assert source.title == "Own run tune-0001, 1970-01-12"
    assert source.note.startswith("60 steps that lasted, 4 lives, 3 interruptions; median step ")
    assert "95 % interval" in entry.figures["training_share.bf16"].note
    assert entry.figures["gemm.bf16.peak_fraction"].kind == "measured", "origins are kept"


def test_the_catalog_is_as_before_when_it_is_done(system_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MYRIAD_CATALOG", raising=False)
    system = catalog.read_spec(system_file, System)
    before = catalog.entry("kernels", "h100")
    calibrate_run(evidence_of(system, slower=1.1), system, "lab.yaml")
    assert catalog.entry("kernels", "h100") == before


def test_what_the_run_cannot_teach_is_refused(system_file: Path) -> None:
    system = catalog.read_spec(system_file, System)
    evidence = evidence_of(system)
    step = evidence.report.compared[0].model_copy(update={"measured_low": None, "measured_high": None})
    few = evidence.report.model_copy(update={"compared": (step, *evidence.report.compared[1:])})
    with pytest.raises(SpecError, match="run tune-0001 has made too few steps to learn from"):
        calibrate_run(RunEvidence(few, evidence.launch), system, "lab.yaml")
    system_file.write_text(SYSTEM.replace("dgx-h100", "dgx-b200"))
    with pytest.raises(SpecError, match=r"pools.node: has b200\S*; the run was on h100"):
        calibrate_run(evidence, catalog.read_spec(system_file, System), "lab.yaml")


def test_waiting_in_the_queue_is_no_time_without_failures(system_file: Path) -> None:
    evidence = evidence_of(catalog.read_spec(system_file, System))
    report = evidence.report
    first = report.segments[0].model_copy(update={"category": "waiting", "end_s": report.segments[0].begin_s + 2e6})
    queued = report.model_copy(
        update={
            "wall_s": report.wall_s + 2e6,
            "ledger_s": report.ledger_s | {"waiting": report.ledger_s["waiting"] + 2e6},
            "segments": (first, *report.segments),
        }
    )
    after = RunEvidence(queued, evidence.launch)
    assert after.exposed_s == pytest.approx(evidence.exposed_s)
    assert (after.waited_s, evidence.waited_s) == (0.0, 0.0), "of the first start, not of a restart"


def test_a_run_of_another_job_is_refused(system_file: Path) -> None:
    system = catalog.read_spec(system_file, System)
    evidence = evidence_of(system)
    other = RunEvidence(evidence.report, evidence.launch.model_copy(update={"job": "tune2"}))
    with pytest.raises(SpecError, match="jobs: unknown job of the run 'tune2'; did you mean 'tune'"):
        calibrate_run(other, system, "lab.yaml")
