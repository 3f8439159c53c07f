"""Each verb on a small case: what it prints, what it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import myriad as package
from trace_format import Slice, checked

JOB = ("--model", "llama3.1-8b", "--cluster", "h100:8", "--seq-len", "8192", "--global-batch", "128")
CSV = """\
id,source,model,accelerator,gpus,precision,global_batch_sequences,seq_len,tp,pp,micro_batch,step_time_s
mine,a log,llama3.1-8b,h100,8,bf16,128,8192,2,1,1,11.0
"""
SERVING_CSV = """\
id,source,model,accelerator,gpus,precision,engine_version,parallelism,isl,osl,concurrency_or_rate,ttft_ms,tpot_ms,mode
mine,a log,llama3.1-8b,h100,1,bf16,vllm 0.12.0,tp1,1024,512,16,90,12.5,closed-loop concurrency
"""


def process(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "myriad", *arguments]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_plan_prints_a_summary_and_writes_files(myriad, system):
    done = myriad("plan", str(system), "--html", "report.html", "--json", "plan.json")
    assert done.code == 0
    assert "pretrain" in done.out
    assert done.err == "report: report.html\n"
    assert max(map(len, done.out.splitlines())) <= 80
    assert "\x1b" not in done.out
    plan = json.loads(Path("plan.json").read_text("utf-8"))
    assert plan["jobs"][0]["chosen"]["estimate"]["layout"]["tp"] == 2
    assert Path("report.html").read_text("utf-8").startswith("<!")
    assert sorted(p.name for p in Path().iterdir()) == ["plan.json", "report.html", "system.yaml"]


def test_plan_in_chinese_and_quiet(myriad, system):
    assert "算力" in myriad("plan", str(system), "--lang", "zh").out
    quiet = myriad("plan", str(system), "--quiet", "--json", "plan.json")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")


def test_json_to_standard_output_is_alone(myriad, system):
    done = myriad("plan", str(system), "--json", "-")
    assert json.loads(done.out)["format"] == "myriad-plan-1"
    assert done.err == ""


def test_estimate_fills_in_data_parallelism(myriad):
    found = json.loads(myriad("estimate", *JOB, "--tp", "2", "--operations", "--json", "-").out)
    assert found["layout"]["dp"] == 4
    assert found["operations"]
    assert sum(found["time_parts_s"].values()) == pytest.approx(found["step_s"])


def test_estimate_reads_counts_with_units_and_lists_of_modules(myriad):
    arguments = ("--seq-len", "8k", "--recompute", "layernorm,core_attn", "--zero", "3", "--no-sp", "--json", "-")
    found = json.loads(myriad("estimate", *JOB, *arguments).out)
    assert found["tokens_per_step"] == 8000 * 128
    assert found["layout"]["recompute"] == ["core_attn", "layernorm"]
    assert (found["layout"]["zero"], found["layout"]["sp"]) == (3, False)


def test_options_win_over_the_layout_file(myriad):
    Path("layout.yaml").write_text("{tp: 4, micro_batch: 2, sp: false}\n")
    found = json.loads(myriad("estimate", *JOB, "--layout", "layout.yaml", "--tp", "2", "--json", "-").out)
    assert [found["layout"][key] for key in ("tp", "dp", "micro_batch", "sp")] == [2, 4, 2, False]


def test_estimate_takes_splits_and_finds_the_best(myriad):
    job = ("--pp", "2", "--seq-len", "8k", "--json", "-")
    given = json.loads(myriad("estimate", *JOB, *job, "--split", "17,15").out)
    assert given["layout"]["split"] == [17, 15]
    assert [stage["layers"] for stage in given["stages"]] == [{"dense": 17}, {"dense": 15}]
    large = ("--model", "llama3-70b", "--cluster", "h100:64", "--seq-len", "4096", "--global-batch", "128")
    best = json.loads(myriad("estimate", *large, "--tp", "2", "--pp", "8", "--split", "best", "--json", "-").out)
    assert sum(best["layout"]["split"]) == 80
    assert best["fits"]
    assert best["best_split"]["layout"] == best["layout"]
    assert best["best_split"]["own_step_s"] is None
    words = " ".join(myriad("estimate", *large, "--tp", "2", "--pp", "8", "--split", "best").out.split())
    assert "Only with a split does this layout fit in memory. No split has a faster slowest stage." in words
    shown = " ".join(myriad("estimate", *JOB, "--pp", "2", "--split", "17,15").out.split())
    assert "PP2 split(17,15)" in shown
    assert "Layers on the pipeline stages" in shown
    Path("layout.yaml").write_text("{pp: 4, split: [7, 9*2, 7]}\n")
    of_file = json.loads(myriad("explain", *JOB, "--layout", "layout.yaml", "--json", "-").out)
    assert of_file["estimate"]["layout"]["split"] == [7, 9, 9, 7]


def test_estimate_and_plan_state_the_band(myriad, system):
    found = json.loads(myriad("estimate", *JOB, "--tp", "2", "--json", "-").out)
    assert found["band"]["low_step_s"] < found["step_s"] < found["band"]["high_step_s"]
    assert "(80 % band " in myriad("estimate", *JOB, "--tp", "2").out
    assert "80 % band" in " ".join(myriad("plan", str(system)).out.split())


def test_explain_a_layout_as_it_is_estimated(myriad):
    done = myriad("explain", *JOB, "--tp", "2", "--json", "why.json")
    assert done.code == 0, done.err
    for heading in ("Longest operations", "What the band rests on", "What the step time depends on", "by 10 % more of"):
        assert heading in " ".join(done.out.split())
    assert max(map(len, done.out.splitlines())) <= 80
    why = json.loads(Path("why.json").read_text("utf-8"))
    assert why["format"] == "myriad-explanation-1"
    assert why["estimate"] == json.loads(myriad("estimate", *JOB, "--tp", "2", "--json", "-").out)


def test_explain_what_a_plan_chooses(myriad, system):
    done = myriad("explain", str(system), "--lang", "zh")
    assert done.code == 0, done.err
    assert "pretrain: Llama 3.1 8B" in done.out
    assert "步时取决于什么" in done.out
    assert myriad("explain", str(system), "--job", "pretrain").code == 0


def test_explain_a_measured_run(myriad):
    done = myriad("explain", "--row", "mb-254")
    text = " ".join(done.out.split())
    assert "Measured 5,275 tokens/s per GPU" in text
    assert "Not in the source, filled by a rule: recomputation" in text
    assert "mb-282" in text
    Path("runs.csv").write_text(CSV)
    found = json.loads(myriad("explain", "--rows", "runs.csv", "--row", "mine", "--json", "-").out)
    assert found["row"]["measured_step_s"] == pytest.approx(11.0)


def test_process_mixes_pools():
    arguments = (
        "mix", "--model", "llama3.1-8b", "--pool", "h100:16", "--pool", "a100:16", "--distance", "100km",
        "--bandwidth", "4Tbit/s", "--seq-len", "8192", "--global-batch", "128",
    )  # fmt: skip
    done = process(*arguments, "--json", "mix.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "more tokens/s than h100:16 alone" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80
    mix = json.loads(Path("mix.json").read_text("utf-8"))
    assert mix["joined"][0]["tokens_per_s"] <= mix["joined"][0]["bound_tokens_per_s"]
    assert {part["pool"] for part in mix["joined"][0]["parts"]} == {"h100:16", "a100:16"}
    twice = process(*[a.replace("a100", "h100") for a in arguments], "--join", "data", "--lang", "zh")
    assert "h100:16 (2)" in twice.stdout
    wrong = process(*[a.replace("100km", "far") for a in arguments])
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("myriad: error: --distance: ")


def test_process_explains_and_refuses():
    done = process("explain", "--row", "bs-001")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Measured and predicted" in done.stdout
    done = process("explain", "--row", "bs-0001")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("myriad: error: --row: unknown row 'bs-0001'; did you mean 'bs-0")


def test_search_counts_and_ranks(myriad):
    done = myriad("search", *JOB, "--top", "3", "--json", "found.json")
    assert done.code == 0
    found = json.loads(Path("found.json").read_text())
    assert len(found["ranked"]) == 3
    assert found["layouts_evaluated"] > 100
    assert found["search_s"] > 0
    assert found["layouts_per_s"] == pytest.approx(found["layouts_evaluated"] / found["search_s"])


def test_search_for_the_fewest_accelerators_within_a_deadline(myriad):
    job = ("--model", "llama3.1-8b", "--cluster", "h100:32", "--seq-len", "8192", "--global-batch", "128")
    aim = ("--objective", "gpus", "--tokens", "100 B", "--deadline", "10 days")
    best = json.loads(myriad("search", *job, *aim, "--json", "-").out)["best"]
    assert best["world_size"] < 32
    assert 100e9 / best["tokens_per_s"] <= 10 * 86400


def test_validate_own_rows(myriad):
    Path("runs.csv").write_text(CSV)
    done = myriad("validate", "training", "--rows", "runs.csv", "--json", "errors.json")
    assert done.code == 0, done.err
    assert "1 of 1 rows predicted" in done.out
    found = json.loads(Path("errors.json").read_text())
    (row,) = found["per_row"]
    assert (found["rows"], found["predicted"], found["skipped"]) == (1, 1, {})
    assert (row["id"], row["unit"]) == ("mine", "tokens/s/GPU")
    assert row["error"] == pytest.approx(row["predicted"] / row["measured"] - 1)


def test_validate_own_serving_rows(myriad):
    Path("runs.csv").write_text(SERVING_CSV)
    done = myriad("validate", "serving", "--rows", "runs.csv", "--json", "errors.json")
    assert done.code == 0, done.err
    assert "1 of 1 rows predicted (100%)" in done.out
    assert max(map(len, done.out.splitlines())) <= 80
    found = json.loads(Path("errors.json").read_text())
    (row,) = found["per_row"]
    assert (found["rows"], found["predicted"], found["skipped"]) == (1, 1, {})
    assert (row["id"], set(row["errors"])) == ("mine", {"tpot", "ttft", "throughput"})
    assert row["errors"]["tpot"] == pytest.approx(row["predicted"]["tpot"] / 0.0125 - 1)
    assert found["groups"]["engine"]["vllm"]["tpot"]["rows"] == 1


def test_validate_ranking_of_own_rows():
    layouts = [(2, 1, 9.0), (4, 1, 10.0), (8, 1, 16.0), (2, 2, 9.5), (4, 2, 12.0)]
    lines = [
        f"mine-{n},a log,llama3.1-8b,h100,8,bf16,128,8192,{tp},{pp},1,{s}" for n, (tp, pp, s) in enumerate(layouts)
    ]
    Path("runs.csv").write_text("\n".join([CSV.splitlines()[0], *lines, ""]), "utf-8")
    done = process("validate", "ranking", "--rows", "runs.csv", "--json", "sets.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 sets with 5 layouts, of 5 rows" in done.stdout
    assert "worst 1 sets" in done.stdout
    found = json.loads(Path("sets.json").read_text("utf-8"))
    assert found["overall"]["median_spearman"] > 0.5
    assert found["per_set"][0]["best"].startswith("TP2 PP1 DP4")
    assert process("validate", "ranking", "--rows", "runs.csv", "--json", "-").stdout.startswith("{")
    Path("few.csv").write_text(CSV, "utf-8")
    few = process("validate", "ranking", "--rows", "few.csv")
    assert few.returncode == 2
    assert few.stderr.count("\n") == 1
    assert "5 or more measured layouts" in few.stderr


@pytest.mark.parametrize(("file", "start"), [("errors.svg", "<svg"), ("errors.html", "<!doctype html>")])
def test_validate_draws_own_rows(myriad, file, start):
    Path("runs.csv").write_text(CSV)
    done = myriad("validate", "training", "--rows", "runs.csv", "--plot", file, "--plot-by", "family")
    assert (done.code, done.err) == (0, f"plot: {file}\n")
    text = Path(file).read_text("utf-8")
    assert text.startswith(start)
    assert "dense (1)" in text
    assert "mine: llama3.1-8b" in text


def test_catalog_lists_shows_and_searches(myriad):
    assert "h100-sxm" in myriad("catalog", "list", "accelerators").out
    shown = myriad("catalog", "show", "h100").out
    assert "bf16_flops_per_s" in shown
    assert "[datasheet: " in shown
    assert "active per token" in myriad("catalog", "show", "models", "mimo-v2-pro").out
    assert "gb200-nvl72" in myriad("catalog", "search", "NVL72").out
    entry = json.loads(myriad("catalog", "show", "h100", "--json", "-").out)
    assert {figure["path"] for figure in entry["figures"]} >= {"memory_bytes", "bf16_flops_per_s"}
    assert all(figure["source"] in entry["sources"] for figure in entry["figures"])


def test_imported_model_can_be_used(myriad, monkeypatch):
    config = {
        "architectures": ["LlamaForCausalLM"], "hidden_size": 512, "intermediate_size": 1536, "vocab_size": 1000,
        "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 8, "max_position_embeddings": 4096,
        "time_step_limit": [0.0, float("inf")],
    }  # fmt: skip
    Path("config.json").write_text(json.dumps(config))
    Path("own/models").mkdir(parents=True)
    done = myriad("catalog", "import", "config.json", "--name", "tiny", "--output", "own/models/tiny.yaml")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("tiny: ")
    monkeypatch.setenv("MYRIAD_CATALOG", "own")
    assert myriad("estimate", "--model", "tiny", *JOB[2:]).code == 0


def test_python_has_the_same_verbs():
    assert {"explain_plan", "explain_row", "explain_training"} <= set(dir(package))
    assert {"plan", "estimate_training", "search_training", "validate_training"} <= set(dir(package))
    with pytest.raises(AttributeError, match="no attribute 'plann'"):
        _ = package.plann


def test_process_shows_version_and_help():
    assert process("--version").stdout == f"myriad {package.__version__}\n"
    assert "estimate" in process().stdout


def test_process_ends_with_the_code_of_an_error():
    done = process("plan", "nowhere.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "myriad: error: nowhere.yaml: no such file\n"


def test_process_prints_to_a_terminal_without_utf_8(system):
    done = process("plan", str(system), "--lang", "zh", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stderr == ""


def test_process_is_quiet_when_nobody_reads():
    command = [sys.executable, "-m", "myriad", "catalog", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as done:
        done.stdout.close()
        assert done.stderr.read() == ""
        assert done.wait(60) == 141


@pytest.mark.parametrize("words", ["catalog list", "catalog show h100-sxm --json -"])
def test_process_says_that_its_output_cannot_be_written(words):
    command = f"{sys.executable} -m myriad {words} >/dev/full"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (2, "myriad: error: no space left on device\n")


def test_process_runs_without_standard_output():
    command = f"{sys.executable} -m myriad catalog list >&-"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("estimate --model llama3-8", "llama3-8b"),
        ("search --cluster h800", "h800-sxm:"),
        ("catalog show gb2", "gb200"),
        ("explain --row mb-25", "mb-254"),
        ("expl", "explain"),
        ("launch system.yaml --job pre", "pretrain"),
        ("launch system.yaml --on slu", "slurm"),
        ("launch system.yaml --framework torch", "torchtitan"),
    ],
)
def test_process_completes_names(words, found, system):
    line = f"myriad {words}"
    done = process(_MYRIAD_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split()) - 1))
    assert found in done.stdout.split()


PIPELINE = (
    "--model", "llama3-70b", "--cluster", "h100:64", "--tp", "4", "--pp", "4", "--seq-len", "8192",
    "--global-batch", "64",
)  # fmt: skip


def test_timeline_draws_one_step(myriad):
    files = ("--json", "step.json", "--trace", "trace.json", "--html", "step.html")
    done = myriad("timeline", *PIPELINE, "--vpp", "2", *files)
    assert done.code == 0, done.err
    assert done.err == "trace: trace.json\npage: step.html\n"
    assert max(map(len, done.out.splitlines())) <= 80
    for said in ("16 micro-batches through 4 stages", "Micro-batches on the stages", "pipeline bubble", "Activations"):
        assert said in done.out
    step = json.loads(Path("step.json").read_text("utf-8"))
    assert step["format"] == "myriad-timeline-1"
    assert len(step["operations"]["kind"]) == 2 * 16 * 8
    assert step["pipeline_s"] == pytest.approx(step["busy_s"] + step["bubble_s"] + step["transfers_s"])
    found = json.loads(myriad("estimate", *PIPELINE, "--vpp", "2", "--json", "-").out)
    assert step["estimated_step_s"] == found["step_s"]
    assert step["closed_bubble_s"] == found["time_parts_s"]["bubble"]
    slices = checked(Path("trace.json").read_text("utf-8")).of(Slice)
    assert sum(one.dur for one in slices if one.cat != "transfer") == pytest.approx(
        1e6 * sum(stage["busy_s"] for stage in step["stages"]), rel=1e-6
    )
    assert Path("step.html").read_text("utf-8").startswith("<!")


@pytest.mark.parametrize(
    "schedule",
    [("gpipe",), ("zero-bubble",), ("zb-v", "--vpp", "2"), ("dualpipe", "--dp", "2"), ("1f1b", "--vpp", "4")],
)
def test_every_schedule_has_a_timeline(myriad, schedule):
    done = myriad("timeline", *PIPELINE, "--schedule", *schedule, "--trace", "trace.json", "--lang", "zh")
    assert done.code == 0, done.err
    assert "个微批" in done.out
    checked(Path("trace.json").read_text("utf-8"))


def test_timeline_of_a_job_of_a_system_file(myriad, system):
    system.write_text(system.read_text("utf-8").replace("{tp: 2, dp: 4}", "{tp: 2, pp: 2, dp: 2}"), "utf-8")
    step = json.loads(myriad("timeline", str(system), "--json", "-").out)
    assert step["layout"]["pp"] == 2
    assert step["subject"].startswith("pretrain: ")
    plan = json.loads(myriad("plan", str(system), "--json", "-").out)
    assert plan["jobs"][0]["timeline"]["pipeline_s"] == step["pipeline_s"]


def test_one_stage_has_a_timeline_too(myriad):
    step = json.loads(myriad("timeline", *JOB, "--tp", "2", "--json", "-").out)
    assert step["bubble_s"] == pytest.approx(0.0, abs=1e-9)
    assert step["transfers_s"] == 0.0


def test_a_narrow_fabric_slows_an_estimate_and_a_search(myriad):
    job = ("--model", "llama3.1-8b", "--cluster", "h100:512", "--seq-len", "8192", "--global-batch", "512")
    Path("narrow.yaml").write_text("topology: {kind: fat-tree, switch: qm9700, oversubscription: 15}\n", "utf-8")

    def step_s(*arguments: str) -> float:
        found = json.loads(myriad(*arguments, "--json", "-").out)
        return float(found.get("best", found)["step_s"])

    layout = ("estimate", *job, "--tp", "8", "--pp", "2", "--order", "tp-cp-ep-pp-dp", "--zero", "3")
    whole = step_s(*layout)
    assert step_s(*layout, "--fabric", "fat-tree-ndr-rails") == whole
    assert step_s(*layout, "--fabric", "narrow.yaml") > whole
    assert step_s("search", *job, "--fabric", "narrow.yaml") >= step_s("search", *job)
    serving = ("serving", "estimate", "--model", "deepseek-v3", "--cluster", "h200:256", "--dp", "256", "--ep", "256")
    asked = ("--precision", "fp8-block", "--input", "2000", "--output", "500", "--concurrency", "16384", "--json", "-")
    whole_serving, narrow = (
        json.loads(myriad(*serving, *asked, *more).out)["tpot_s"] for more in ((), ("--fabric", "narrow.yaml"))
    )
    assert narrow > whole_serving
