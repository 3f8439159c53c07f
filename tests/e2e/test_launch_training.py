"""`myriad launch` of a planned training job: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

JOB = """\
myriad: 1
name: Two nodes
pools:
  lab: {node: dgx-h100, count: 16, scheduler: {kind: slurm, partition: train}}
jobs:
  pretrain:
    model: llama3.1-8b
    tokens: 100 B tokens
    seq_len: 8192
    global_batch: 128
    layout: {tp: 2, dp: 8}
    launch: {framework: reference}
"""
OTHER = """\
  other: {model: llama3.1-8b, seq_len: 8192, global_batch: 128, layout: {tp: 2, dp: 8}}
"""


@pytest.fixture
def system() -> str:
    Path("system.yaml").write_text(JOB, "utf-8")
    return "system.yaml"


def test_a_dry_run_prints_exactly_what_is_written(myriad, system):
    shown = myriad("launch", system, "--dry-run")
    assert (shown.code, shown.err) == (0, "")
    done = myriad("launch", system, "--to", "out")
    assert (done.code, done.out) == (0, "")
    written = {path.name: path for path in Path("out").iterdir()}
    assert {"start.sh", "job.sbatch", "health.sh"} <= set(written)
    for name, path in written.items():
        assert f"==> {name} <==\n{path.read_text('utf-8')}" in shown.out
        assert f"wrote out/{name}" in done.err
    assert "#SBATCH --nodes=2\n" in written["job.sbatch"].read_text("utf-8")
    assert "#SBATCH --partition=train\n" in written["job.sbatch"].read_text("utf-8")
    assert written["start.sh"].stat().st_mode & 0o100


def test_a_plan_gives_the_same_as_the_file_that_was_planned(myriad, system):
    assert myriad("plan", system, "--json", "plan.json", "--quiet").code == 0
    from_plan = myriad("launch", "plan.json", "--dry-run")
    assert (from_plan.code, from_plan.err) == (0, "")
    assert from_plan.out == myriad("launch", system, "--dry-run").out


def test_json_holds_everything_that_was_looked_up(myriad, system):
    found = json.loads(myriad("launch", system, "--steps", "20", "--json", "-").out)
    assert [file["path"] for file in found["files"] if file["path"].startswith("job")] == ["job.sbatch"]
    launch = found["launch"]
    assert (launch["nodes"], launch["gpus_per_node"], launch["steps"]) == (2, 8, 20)
    assert launch["promise"]["tokens_per_step"] == 128 * 8192
    assert launch["scheduler"]["kind"] == "slurm"
    # Without --steps, all tokens.
    assert json.loads(myriad("launch", system, "--json", "-").out)["launch"]["steps"] == -(-(10**11) // (128 * 8192))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--on", "slrum"), "--on: unknown scheduler 'slrum'; did you mean 'slurm'?"),
        (("--on", "local"), "jobs.pretrain: local is one machine, and the job needs 2 nodes"),
        (("--on", "kubernetes"), "jobs.pretrain.launch.image: missing"),
        (("--on", "hosts"), "scheduler.hosts: pretrain needs 2, found 0"),
        (("--job", "pretrian"), "--job: unknown job 'pretrian'; did you mean 'pretrain'?"),
        (("--steps", "0"), "--steps: "),
        (("--steps", "ten"), "--steps: "),
        (("--framework", "torchtitam"), "--framework: unknown framework 'torchtitam'; did you mean 'torchtitan'?"),
        (("--framework", "torchtitan@9"), "--framework: the flags of torchtitan 9 are not known; known: "),
        (("--framework", "reference@2"), "--framework: found release '2'"),
        (("--detach",), "--detach: nothing is started with --to"),
        (("--database", "runs.sqlite"), "--database: nothing is started with --to"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(myriad, system, arguments, said):
    done = myriad("launch", system, *arguments, "--to", "out")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not Path("out").exists()


def test_a_folder_that_cannot_be_made_is_said_in_one_line(myriad, system):
    done = myriad("launch", system, "--to", "/proc/out")
    assert (done.code, done.out) == (2, "")
    assert done.err == "myriad: error: /proc/out: cannot be made: no such file or directory\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("", OTHER), "--job: missing; expected one of the training jobs: pretrain, other"),
        ((", scheduler: {kind: slurm, partition: train}", ""), "--on: missing, and pools.lab.scheduler is not given"),
        (("    tokens: 100 B tokens\n", ""), "--steps: missing, and jobs.pretrain.tokens are not given either"),
        (("dp: 8}", "dp: 16}"), "jobs.pretrain.layout: "),
        (("{tp: 2, dp: 8}", "{dp: 16, zero: 0}"), "jobs.pretrain: no pool can do it (lab: lacks"),
        (("node: dgx-h100", "accelerator: ascend-910b"), "pools.lab: Huawei Ascend 910B 64GB is not NVIDIA's or AMD's"),
        (("reference}", 'reference, data: "it\'s"}'), "jobs.pretrain.launch.data: no closing quotation"),
        (("partition: train", "version: '19'"), "system.yaml:4: pools.lab.scheduler.version: unknown release of Slurm"),
        (("partition: train", "time_limit: 60 s"), "system.yaml:4: pools.lab.scheduler.time_limit: found 60 s"),
        (("slurm, partition: train", "hosts, hosts: [a, b], port: 0"), "4: pools.lab.scheduler.port: must be greater"),
        (("slurm, partition: train", "hosts, hosts: [a, b], prt: 1"), "unknown key 'prt'; did you mean 'port'?"),
        (
            ("slurm, partition: train", "hosts, hosts: [a]"),
            "yaml:4: pools.lab.scheduler.hosts: pretrain needs 2",
        ),
        (("reference", "deepspeed"), "system.yaml:12: jobs.pretrain.launch.script: missing"),
        (("reference", "torchtitan@9"), "system.yaml:12: jobs.pretrain.launch.framework: the flags of torchtitan 9"),
        (("reference", "torchtitan"), "system.yaml:11: jobs.pretrain.layout.zero: torchtitan cannot run"),
        (("reference", "reference, arguments: [--x]"), "jobs.pretrain.launch.arguments: found '--x'; the reference"),
        (("reference", "reference, environment: {A B: c}"), "jobs.pretrain.launch.environment.A B: must match"),
        (("partition: train", "partitions: train"), "unknown key 'partitions'; did you mean 'partition'?"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_in_one_line(myriad, system, change, said):
    Path(system).write_text(JOB.replace(*change) if change[0] else JOB + change[1], "utf-8")
    done = myriad("launch", system, "--to", "out")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not Path("out").exists()


def test_a_plan_that_does_not_hold_what_was_planned_is_made_again(myriad, system):
    myriad("plan", system, "--json", "plan.json", "--quiet")
    plan = json.loads(Path("plan.json").read_text("utf-8"))
    Path("plan.json").write_text(json.dumps(plan | {"described": None}, indent=2), "utf-8")
    done = myriad("launch", "plan.json", "--dry-run")
    assert done.code == 2
    assert "plan again" in done.err
    Path("plan.json").write_text(json.dumps(plan | {"jobs": 3}, indent=2), "utf-8")
    assert "plan.json is not what `myriad plan --json` writes" in myriad("launch", "plan.json", "--dry-run").err


def _rename_model(plan):
    plan["jobs"][0]["model"] = "other"


def _rename_pool(plan):
    plan["jobs"][0]["chosen"]["pool"] = "other"


def _rename_job(plan):
    plan["described"]["jobs"]["other"] = plan["described"]["jobs"].pop("pretrain")


def _break_scheduler(plan):
    plan["described"]["pools"]["lab"]["scheduler"]["kind"] = "slrum"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_rename_model, "plan.json: jobs.pretrain: the plan does not belong to what it says was planned; plan again"),
        (_rename_pool, "plan.json: jobs.pretrain: the plan does not belong to what it says was planned; plan again"),
        (_rename_job, "plan.json: jobs.other: the plan does not belong to what it says was planned; plan again"),
        (_break_scheduler, "described.pools.lab.scheduler: found text 'slrum', allowed: slurm"),
    ],
)
def test_a_plan_that_was_edited_says_where(myriad, system, change, said):
    myriad("plan", system, "--json", "plan.json", "--quiet")
    plan = json.loads(Path("plan.json").read_text("utf-8"))
    change(plan)
    Path("plan.json").write_text(json.dumps(plan), "utf-8")
    done = myriad("launch", "plan.json", "--dry-run")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_a_plan_is_known_however_its_json_is_written(myriad, system):
    myriad("plan", system, "--json", "plan.json", "--quiet")
    plan = json.loads(Path("plan.json").read_text("utf-8"))
    wanted = myriad("launch", "plan.json", "--dry-run").out
    for text in (json.dumps(plan, separators=(",", ":"), sort_keys=True), "\ufeff" + json.dumps(plan)):
        Path("other.json").write_text(text, "utf-8")
        assert myriad("launch", "other.json", "--dry-run").out == wanted
    Path("other.json").write_text(json.dumps(plan, indent=2)[:5000], "utf-8")
    done = myriad("launch", "other.json", "--dry-run")
    assert "other.json is not what `myriad plan --json` writes (Invalid JSON: EOF" in done.err


def test_a_job_that_no_pool_can_do_says_why(myriad, system):
    Path(system).write_text(JOB.replace("llama3.1-8b", "llama3.1-405b").replace("    layout: {tp: 2, dp: 8}\n", ""))
    done = myriad("launch", system, "--dry-run")
    assert done.code == 2
    assert "jobs.pretrain: no pool can do it (lab: " in done.err
    assert done.err.count("\n") == 1
