from pathlib import Path

import pytest

from myriad.api import estimate_training, explain_plan, explain_row, explain_training
from myriad.errors import InfeasibleError, SpecError
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout

WORK = TrainingWork(seq_len=8192, global_batch=128)
SYSTEM = """\
myriad: 1
name: Two jobs
pools:
  lab: {accelerator: h100, count: 8}
jobs:
  one: {model: llama3.1-8b, seq_len: 8192, global_batch: 128, layout: {tp: 2, dp: 4}}
  two: {model: llama3.1-405b, seq_len: 8192, global_batch: 128}
"""
HEAD = "id,source,model,accelerator,gpus,precision,global_batch_sequences,seq_len,tp,pp,micro_batch,step_time_s\n"


@pytest.fixture
def system(tmp_path: Path) -> Path:
    path = tmp_path / "system.yaml"
    path.write_text(SYSTEM, "utf-8")
    return path


def test_a_layout_is_explained_as_it_is_estimated():
    found = explain_training("llama3.1-8b", "h100:8", Layout(tp=2, dp=4), WORK)
    assert found.estimate == estimate_training("llama3.1-8b", "h100:8", Layout(tp=2, dp=4), WORK)
    assert found.operations[0].seconds_per_step == max(op.seconds_per_step for op in found.operations)
    assert {one.resource for one in found.sensitivity} >= {"matrix_rate", "scale_up"}
    assert found.band_ground.stack == "megatron-core"
    assert 0 < found.band_ground.stack_runs < found.band_ground.accelerator_runs < found.band_ground.runs
    assert found.row is None


def test_a_layout_that_does_not_divide_is_refused():
    with pytest.raises(SpecError, match="does not divide"):
        explain_training("llama3.1-8b", "h100:8", Layout(tp=1, dp=3), WORK)


def test_a_job_of_a_system_is_explained_as_it_is_planned(system: Path):
    found = explain_plan(system, "one")
    assert found.subject.startswith("one: Llama 3.1 8B, 8 x ")
    assert found.estimate.layout == Layout(tp=2, dp=4)
    assert found.assumptions


def test_a_job_is_asked_for_where_there_are_several(system: Path):
    with pytest.raises(SpecError, match="name one of the jobs: one, two"):
        explain_plan(system)
    with pytest.raises(SpecError, match="unknown job 'ome'; did you mean 'one'"):
        explain_plan(system, "ome")


def test_a_job_that_no_pool_can_run_has_no_explanation(system: Path):
    with pytest.raises(InfeasibleError, match="job two: lab: "):
        explain_plan(system, "two")


def test_a_measured_run_is_held_against_runs_of_the_same_job():
    found = explain_row("mb-254")
    ground = found.row
    assert ground is not None
    result = ground.result
    assert ground.measured_step_s / found.estimate.step_s == pytest.approx(result.predicted / result.measured)
    assert set(result.left_out_errors) == {"lineage", "stack", "accelerator", "gpus"}
    assert "recomputation" in result.assumed[0]
    (other,) = ground.alike
    assert (other.id, other.software, other.expert_capacity) == ("mb-282", "megatron-bridge 25.09", 1.0)
    assert other.over_this == pytest.approx(10494 / 5275, rel=1e-3)
    assert ground.kin > 5


def test_a_run_of_the_user_is_explained_too(tmp_path: Path):
    rows = tmp_path / "runs.csv"
    rows.write_text(HEAD + "a,log,llama3.1-8b,h100,8,bf16,128,8192,2,1,1,11.0\nb,log,no-such,h100,8,bf16,1,1,1,1,1,1\n")
    ground = explain_row("a", rows).row
    assert ground is not None
    assert (ground.alike, ground.kin, ground.result.left_out_errors) == ((), 0, {})
    assert ground.measured_step_s == pytest.approx(11.0)
    with pytest.raises(SpecError, match="b: cannot be judged: neither the catalog nor"):
        explain_row("b", rows)
    with pytest.raises(SpecError, match="unknown row 'c'"):
        explain_row("c", rows)
