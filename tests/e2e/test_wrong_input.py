"""Wrong input: one line that says where, what was found and what is near; exit code 2; nothing printed or written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ESTIMATE = "estimate --model llama3.1-8b --cluster h100:8 --seq-len 8192 --global-batch 128"
TIMELINE = ESTIMATE.replace("estimate", "timeline", 1)
SEARCH = ESTIMATE.replace("estimate", "search", 1)
SWEEP = "sweep --model llama3.1-8b --cluster h100:8,16 --seq-len 8192 --global-batch 128"
GRID = """\
myriad: 1
base: {model: llama3.1-8b, seq_len: 8192}
axes:
  cluster: h100:{8,16}
  global_batch: 64..256 x2
zip:
  - {precision: [bf16, fp8], price: [2 USD/GPU-h, 3 USD/GPU-h]}
"""
MIX = (
    "mix --model llama3.1-8b --pool h100:16 --pool a100:16 --distance 100km --bandwidth 4Tbit/s --seq-len 8192 "
    "--global-batch 128"
)
CSV = """\
id,source,model,accelerator,gpus,precision,global_batch_sequences,seq_len,tp,pp,step_time_s
mine,a log,llama3.1-8b,h100,8,bf16,128,8192,2,1,11.0
"""
SERVING_CSV = """\
id,source,model,accelerator,gpus,precision,engine_version,parallelism,isl,osl,concurrency_or_rate,ttft_ms,tpot_ms,mode
mine,a log,llama3.1-8b,h100,1,bf16,vllm 0.12.0,tp1,1024,512,16,90,12.5,closed-loop concurrency
"""
INLINE = """\
models:
  mine:
    {name: mine, hidden: 512, vocab: 1000, layers: [[x, 4]],
     blocks: {x: {feed_forward: {kind: moe, experts: 4, top_k: 8, expert_width: 512}}}}
jobs:
"""

#: What is replaced in the system file, by what, and what the line must say beside the file.
IN_SYSTEM = [
    ("seq_len: 8192", "seq_len: 8192 GB", ("10: jobs.pretrain.seq_len", "unknown unit 'GB'")),
    ("60 days", "60 dayz", ("9: jobs.pretrain.deadline", "or 'days'")),
    ("count: 8", "count: -8", ("4: pools.lab.count", "-8")),
    ("count: 8", "count: 8, fabric: fat-tree-nrd", ("4: pools.lab.fabric", "did you mean 'fat-tree-ndr'")),
    ("count: 8", "count: 8, sites: {fibre: hollow}", ("pools.lab.sites",)),
    ("count: 8", "count: 0", ("4: pools.lab.count", "greater than or equal to 1")),
    ("count: 8", "count: 8.5", ("4: pools.lab.count", "whole number", "8.5")),
    ("count: 8", "count: 1e19", ("4: pools.lab.count", "whole number")),
    ("count: 8, ", "", ("4: pools.lab.count", "missing")),
    ("count: 8", "count: .nan", ("4: pools.lab.count", "finite")),
    ("count: 8", "count: [8]", ("4: pools.lab.count", "whole number", "a list")),
    ("accelerator: h100", "accelerator: h10O", ("4: pools.lab", "did you mean 'h100'")),
    ("accelerator: h100", "accelerator: dimensity-9400", ("4: pools.lab", "no node with dimensity-9400")),
    ("llama3.1-8b", "lama3.1-8b", ("7: jobs.pretrain.model", "did you mean 'llama3.1-8b'")),
    ("tokens:", "tokns:", ("8: jobs.pretrain: unknown key 'tokns'", "did you mean 'tokens'")),
    ("100 B tokens", "0", ("8: jobs.pretrain.tokens", "greater than 0")),
    ("name: A small plan", "name: A\nname: B", ("3: key 'name' is given twice",)),
    ("name: A small plan", "name: A\ncurrency: YEN", ("3: currency", "unknown currency 'YEN'", "JPY")),
    ("name: A small plan", "name: A\nexchange_rates: {CNY: 0}", ("3: exchange_rates.CNY", "greater than 0")),
    ("2 USD/GPU-h", "2 USDD/GPU-h", ("4: pools.lab.terms.price", "did you mean 'USD'")),
    ("2 USD/GPU-h", "2", ("4: pools.lab.terms.price", "needs its currency")),
    ("2 USD/GPU-h", "2 USD/kWh", ("4: pools.lab.terms.price", "per gpu_s")),
    ("kind: rented", "kind: rent", ("4: pools.lab.terms.kind", "did you mean 'rented'")),
    ("count: 8", "count: 8, goodput: 0", ("4: pools.lab.goodput", "greater than 0")),
    ("count: 8", "count: 8, goodput: 1.2", ("4: pools.lab.goodput", "less than or equal to 1")),
    ("{tp: 2, dp: 4}", "{recompute: atn}", ("12: jobs.pretrain.layout.recompute", "core_attn")),
    ("{tp: 2, dp: 4}", "{tp: 3, dp: 2}", ("12: jobs.pretrain.layout", "tp does not divide")),
    ("{tp: 2, dp: 4}", "{tp: 2, dp: 8}", ("12: jobs.pretrain.layout", "more ranks than accelerators")),
    ("{tp: 2, dp: 4}", "{pp: 2, split: [16, 15]}", ("12: jobs.pretrain.layout", "places 31 layers; the model has 32")),
    ("{tp: 2, dp: 4}", "{pp: 2, split: 8*3}", ("12: jobs.pretrain.layout", "split has length 3; pp 2 has 2")),
    ("{tp: 2, dp: 4}", "{vpp: 2}", ("12: jobs.pretrain.layout", "vpp above 1 needs pp above 1")),
    ("layout:", "precision: fp7\n    layout:", ("12: jobs.pretrain.precision", "did you mean 'fp8'")),
    ("layout:", "stack: megatorn-core\n    layout:", ("12: jobs.pretrain.stack", "did you mean 'megatron-core'")),
    ("layout:", "pools: [labb]\n    layout:", ("12: jobs.pretrain.pools", "did you mean 'lab'")),
    ("jobs:\n", INLINE, ("models.mine.blocks.x.feed_forward", "top_k 8 is more than the 4 experts")),
    ("model: llama3.1-8b", "model: &m llama3.1-8b", ("7: jobs.pretrain.model", "anchor")),
    ("layout: {tp: 2, dp: 4}", "mix: {pools: [lab], link: {distance: 1 km, bandwidth: 1 GB/s}}", ("mix.pools", "2")),
    ("layout:", "mix: {pools: [lab, b], link: {distance: 1, bandwidth: 1}}\n    layout:", ("leave out mix or layout",)),
    (
        "layout: {tp: 2, dp: 4}",
        "mix: {pools: [lab, lob], link: {distance: 1 km, bandwidth: 1}}",
        ("unknown pool 'lob'",),
    ),
    ("layout: {tp: 2, dp: 4}", "mix: {pools: [lab, b], link: {distance: 1 kg, bandwidth: 1}}", ("unit 'kg'",)),
    ("layout: {tp: 2, dp: 4}", "mix: {pools: [lab, b], link: {distance: 1 km}}", ("bandwidth", "missing")),
    ("    tokens", "\ttokens", ("8:", "tab")),
    ("name: A small plan", "name: A\ninclude: [system.yaml]", ("3: include", "circle")),
    ("name: A small plan", "name: A\ninclude: [other.yaml]", ("3: include", "no such file")),
]

#: What is replaced in a grid, by what, and what the line must say beside the file.
IN_GRID = [
    ("64..256 x2", "64..256", ("5: axes.global_batch", "a range such as")),
    ("64..256 x2", "[]", ("5: axes.global_batch", "at least 1")),
    ("64..256 x2", "{from: 1, to: 8, step: 2}", ("5: axes.global_batch", "did you mean 'steps'")),
    ("global_batch:", "globl_batch:", ("5: axes: unknown key 'globl_batch'", "did you mean 'global_batch'")),
    ("h100:{8,16}", "h10O:{8,16}", ("4: axes.cluster", "did you mean 'h100'")),
    ("h100:{8,16}", "h100:{8,x}", ("4: axes.cluster", "'x'")),
    ("[bf16, fp8]", "[bf16, fp7]", ("7: zip.0.precision.1", "did you mean 'fp8'")),
    ("[bf16, fp8]", "[bf16]", ("7: zip.0", "1 values of precision, 2 values of price")),
    ("2 USD/GPU-h", "2 USD", ("7: zip.0.price.0", "per gpu_s")),
    ("llama3.1-8b", "lama3.1-8b", ("2: base.model", "did you mean 'llama3.1-8b'")),
    ("seq_len: 8192", "cluster: h100:8", ("4: axes.cluster", "given by base.cluster too")),
    ("seq_len: 8192", "mtp_depths: 0", ("seq_len is missing",)),
    ("base: {model: llama3.1-8b, seq_len: 8192}\n", "", ("model is missing",)),
    ("axes:", "axis:", ("3: unknown key 'axis'", "did you mean 'axes'")),
    ("seq_len: 8192", "seq_len: 8192, deadline: 3 days", ("2: base.deadline", "needs tokens")),
]

#: Content of a system file, and what the line must say beside the file.
WHOLE_FILES = [
    (b"", "is empty"),
    (b"# nothing\n", "is empty"),
    (bytes(range(256)), "binary file"),
    (b"name: \xff\xfe\n", "not UTF-8"),
    (b"#" * 10_000_000, "too large"),
    (b"[1, 2]\n", "expected a mapping"),
    (b"a: [\n", "did not find"),
    (b"[" * 1000, "nested"),
    (b"a: 1\n---\nb: 2\n", "second"),
]

#: Arguments after the file `system.yaml`, or a whole command line; what the line must say.
COMMAND_LINES = [
    ("plan", ("FILE: is missing",)),
    ("plan nowhere.yaml", ("nowhere.yaml: no such file",)),
    ("plan sistem.yaml", ("sistem.yaml", "did you mean 'system.yaml'")),
    ("plan .", ("is a folder",)),
    ("plan system.yaml --lang fr", ("--lang", "allowed: en, zh")),
    ("plan system.yaml --json nowhere/plan.json", ("--json", "there is no folder")),
    ("plan system.yaml --html .", ("--html",)),
    ("plan system.yaml --json system.yaml", ("--json", "would overwrite the input")),
    ("plan system.yaml --json a --html a", ("would overwrite the output",)),
    ("plan system.yaml --htm a", ("unknown option '--htm'", "did you mean '--html'")),
    ("plan system.yaml --html", ("--html: expected a value",)),
    ("plan system.yaml other.yaml", ("other.yaml",)),
    ("pln system.yaml", ("unknown command 'pln'", "did you mean 'plan'")),
    ("--verson", ("did you mean '--version'",)),
    ("validate servin", ("unknown command 'servin'", "did you mean 'serving'")),
    (f"{ESTIMATE} --tpp 2", ("unknown option '--tpp'", "did you mean '--tp'")),
    (f"{ESTIMATE} --tp -2", ("--tp:", "-2")),
    (f"{ESTIMATE} --fabric fat-tree-nrd", ("--fabric:", "did you mean 'fat-tree-ndr'")),
    (f"{ESTIMATE} --fabric none.yaml", ("--fabric:", "none.yaml")),
    (f"{ESTIMATE.replace('h100:8', 'h100:16')} --fabric tpu-v4-torus", ("--fabric: a torus of",)),
    (f"{ESTIMATE} --tp two", ("--tp:", "'two'")),
    (f"{ESTIMATE} --tp 2.5", ("--tp:", "whole number")),
    (f"{ESTIMATE} --tp nan", ("--tp:",)),
    (f"{ESTIMATE} --dp 1e19", ("--dp:",)),
    (f"{ESTIMATE} --tp 3", ("--dp:", "tp 3 x cp 1 x pp 1")),
    (f"{ESTIMATE} --dp 3", ("does not divide the global batch",)),
    (f"{ESTIMATE} --dp 8 --shard 3", ("shard does not divide",)),
    (f"{ESTIMATE} --ep 8", ("no experts",)),
    (f"{ESTIMATE} --vpp 2", ("--vpp:", "needs pp above 1")),
    (f"{ESTIMATE} --pp 2 --split 16;16", ("--split:", "such as 7,8*14,7", "'16;16'")),
    (f"{ESTIMATE} --pp 2 --split 16", ("--split:", "split has length 1; pp 2 has 2 chunks")),
    (f"{ESTIMATE} --pp 2 --split 16,15", ("split places 31 layers; the model has 32",)),
    (f"{ESTIMATE} --pp 4 --split 16,0,8,8", ("--split:", "only the first and the last chunk")),
    (f"{ESTIMATE} --split best", ("--split:", "no split to choose", "one stage")),
    (f"{ESTIMATE} --pp 2 --stack nemo --split best", ("--split:", "places layers by its own rule")),
    (f"{ESTIMATE.replace('estimate', 'explain')} --pp 2 --split bets", ("--split:", "'bets'")),
    (f"{ESTIMATE} --zero 4", ("--zero:", "0, 1, 2 or 3")),
    (f"{ESTIMATE} --recompute atn", ("--recompute:", "core_attn")),
    (f"{ESTIMATE} --schedule 1f1", ("--schedule:", "did you mean '1f1b'")),
    (f"{ESTIMATE} --precision nvfp4", ("--precision:", "no nvfp4 matrix rate")),
    (f"{ESTIMATE} --precision fp7", ("--precision:", "did you mean 'fp8'")),
    (f"{ESTIMATE} --stack megatorn-core", ("--stack:", "did you mean 'megatron-core'")),
    (f"{ESTIMATE} --expert-imbalance 0.5", ("--expert-imbalance:",)),
    (f"{ESTIMATE} --switches compil", ("--switches:", "did you mean 'compile'")),
    (f"{ESTIMATE} --stack nemo@25.03", ("--stack:", "did you mean '25.05'")),
    (f"{ESTIMATE} --model lama3.1-8b", ("--model:", "did you mean 'llama3.1-8b'")),
    (f"{ESTIMATE} --cluster h100", ("--cluster:", "NAME:COUNT")),
    (f"{ESTIMATE} --cluster h100:0", ("--cluster:", "at least 1")),
    (f"{ESTIMATE} --cluster h100:8.5", ("--cluster:", "whole number")),
    (f"{ESTIMATE} --cluster h100:1e15", ("--cluster:", "at most")),
    (f"{ESTIMATE} --cluster h100:9", ("--cluster:", "nearest: 8 or 16")),
    (f"{ESTIMATE} --cluster h10O:8", ("--cluster:", "did you mean 'h100'")),
    (f"{ESTIMATE} --global-batch 0", ("--global-batch:",)),
    (f"{ESTIMATE} --seq-len 8192GB", ("--seq-len:", "unknown unit 'GB'")),
    (f"{ESTIMATE} --layout nowhere.yaml", ("nowhere.yaml: no such file",)),
    ("estimate --model llama3.1-8b", ("--cluster: is missing",)),
    ("timeline", ("one of FILE and --model", "none of them")),
    ("timeline system.yaml --tp 2", ("--tp: does not go with FILE",)),
    ("timeline system.yaml --job pretran", ("unknown job 'pretran'", "pretrain")),
    ("timeline --model llama3.1-8b", ("--cluster: is missing",)),
    (f"{TIMELINE} --pp 2 --schedule zb-v", ("--schedule: schedule zb-v has two chunks", "found 1")),
    (f"{TIMELINE} --pp 2 --schedule dualpipe --dp 4 --tp 1 --global-batch 12", ("DualPipe needs an even number",)),
    (f"{TIMELINE} --pp 4 --vpp 2 --global-batch 22", ("11 micro-batches cannot go through chunks",)),
    (f"{TIMELINE} --trace nowhere/step.json", ("--trace", "no folder")),
    (f"{TIMELINE} --html step.json --trace step.json", ("would overwrite",)),
    ("explain", ("one of FILE, --row and --model", "none of them")),
    ("explain system.yaml --row mb-254", ("found FILE and --row",)),
    ("explain system.yaml --job pretran", ("unknown job 'pretran'", "pretrain")),
    ("explain system.yaml --tp 2", ("--tp: does not go with FILE",)),
    ("explain nowhere.yaml", ("nowhere.yaml: no such file",)),
    ("explain --row mb-0254", ("--row:", "did you mean 'mb-254'")),
    ("explain --row mb-254 --job pretrain", ("--job: does not go with --row",)),
    ("explain --row mb-254 --rows nowhere.csv", ("nowhere.csv: no such file",)),
    ("explain --row mb-254 --json .", ("--json",)),
    ("explain --row mb-254 --lang fr", ("--lang", "allowed: en, zh")),
    ("explain --model llama3.1-8b", ("--cluster: is missing",)),
    (f"{ESTIMATE.replace('estimate', 'explain')} --tp 3", ("--dp:", "tp 3 x cp 1 x pp 1")),
    (f"{ESTIMATE.replace('estimate', 'explain')} --rows a.csv", ("--rows: does not go with --model",)),
    ("validate training --plot errors.png", ("--plot:", "ends in .svg or .html")),
    ("validate training --plot nowhere/a.svg", ("--plot:", "there is no folder")),
    ("validate training --plot a.svg --plot-by familly", ("--plot-by:", "did you mean 'family'")),
    (f"{SEARCH} --objective speed", ("--objective:", "time, cost, gpus")),
    (f"{SEARCH} --top 0", ("--top:",)),
    (f"{SEARCH} --least-gpus 16", ("--least-gpus:", "more than the 8")),
    (f"{SEARCH} --tokens 15T", ("--tokens and --deadline",)),
    (f"{SEARCH} --tokens 15T --deadline 9days", ("--deadline:", "--objective gpus")),
    (f"{SEARCH} --objective gpus --tokens 0 --deadline 9days", ("--tokens:", "greater than 0")),
    (f"{SEARCH} --objective gpus --tokens 15T --deadline 9dayz", ("--deadline:", "or 'days'")),
    (f"{SEARCH} --objective gpus --tokens 15T --deadline 1s", ("--deadline:", "fast enough")),
    (f"{SEARCH} --model llama3.1-405b", ("do not fit in memory",)),
    ("mix", ("--model: is missing",)),
    (MIX.replace(" --pool a100:16", ""), ("--pool:", "at least two, found 1")),
    (MIX.replace("a100:16", "a10O:16"), ("--pool:", "did you mean 'a100'")),
    (MIX.replace("a100:16", "a100"), ("--pool:", "NAME:COUNT")),
    (MIX.replace("a100:16", "a100:17"), ("--pool:", "nearest: 16 or 24")),
    (MIX.replace("100km", "100GB"), ("--distance:", "unknown unit 'GB'")),
    (MIX.replace("100km", "-1km"), ("--distance:", "greater than or equal to 0")),
    (MIX.replace("4Tbit/s", "0"), ("--bandwidth:", "greater than 0")),
    (MIX.replace("4Tbit/s", "4km"), ("--bandwidth:", "unknown unit 'km'")),
    (MIX.replace("4Tbit/s", "nan"), ("--bandwidth:",)),
    (f"{MIX} --join both", ("--join:", "data, pipeline, best")),
    (f"{MIX} --pool h100:16 --join pipeline", ("--join: a pipeline joins two pools, found 3",)),
    (f"{MIX} --headroom 2", ("--headroom:", "less than or equal to 1")),
    (f"{MIX} --precision fp8", ("--precision:", "no fp8 matrix rate")),
    (f"{MIX} --model lama3.1-8b", ("--model:", "did you mean 'llama3.1-8b'")),
    (f"{MIX} --model llama3.1-405b --join data", ("data: ", "cannot hold a replica")),
    (f"{MIX} --json .", ("--json",)),
    (f"{MIX} --lang fr", ("--lang", "allowed: en, zh")),
    ("validate training --rows nowhere.csv", ("nowhere.csv",)),
    ("validate training --rows .", ("is a folder",)),
    ("validate training --worst -1", ("--worst:",)),
    ("validate serving --rows nowhere.csv", ("nowhere.csv",)),
    ("validate serving --worst -1", ("--worst:",)),
    ("validate ranking --rows nowhere.csv", ("nowhere.csv",)),
    ("validate ranking --worst -1", ("--worst:",)),
    ("validate interconnect --rows nowhere.csv", ("nowhere.csv",)),
    ("validate interconnect --worst -1", ("--worst:",)),
    ("validate reliability --rows nowhere.yaml", ("nowhere.yaml: no such file",)),
    ("validate reliability --runs 1", ("--runs:", "greater than or equal to 2")),
    ("validate reliability --seed -1", ("--seed:",)),
    ("reliability fit nowhere.csv --nodes 8", ("nowhere.csv: no such file",)),
    ("reliability fit nowhere.csv --nodes 8 --days nan", ("--days:",)),
    ("reliability fit nowhere.csv --nodes 8 --age -1", ("--age:",)),
    ("reliability show llama3-h10", ("unknown reliability profile 'llama3-h10'", "did you mean 'llama3-h100'")),
    ("reliability show nowhere.yaml", ("nowhere.yaml: no such file",)),
    ("reliability show llama3-h100 --cluster h100", ("expected NAME:COUNT",)),
    ("sweep", ("give a FILE or options",)),
    ("sweep nowhere.yaml", ("nowhere.yaml: no such file",)),
    ("sweep system.yaml", ("system.yaml:3: unknown key 'pools'",)),
    (f"{SWEEP} --gpus 8", ("gpus is given by", "axes.cluster")),
    (f"{SWEEP} --cluster h100", ("--cluster:", "NAME:COUNT")),
    (f"{SWEEP} --cluster h10O:{{8,16}}", ("--cluster:", "did you mean 'h100'")),
    (f"{SWEEP} --cluster dimensity-9400:8", ("--cluster:", "no node with dimensity-9400")),
    (f"{SWEEP} --model llama3.1-8b,lama3.1-8b", ("--model:", "did you mean 'llama3.1-8b'")),
    (f"{SWEEP} --precision bf16,fp7", ("--precision:", "did you mean 'fp8'")),
    (f"{SWEEP} --seq-len 8192,8192", ("--seq-len:", "values 1 and 2 are the same")),
    (f"{SWEEP} --seq-len 8192..4096x2", ("--seq-len:", "upper end must be above")),
    (f"{SWEEP} --stack megatorn-core", ("--stack:", "did you mean 'megatron-core'")),
    (f"{SWEEP} --switches compil", ("--switches:", "did you mean 'compile'")),
    (f"{SWEEP} --price 2", ("--price:", "unknown currency")),
    (f"{SWEEP} --deadline 9days", ("--deadline:", "needs tokens")),
    (f"{SWEEP} --zip cluster,price", ("--zip:", "'price'")),
    (f"{SWEEP} --zip cluster,model", ("--zip:", "1 values of model, 2 values of cluster")),
    (f"{SWEEP} --out rows.xlsx", ("--out:", "allowed: .parquet, .csv, .jsonl")),
    (f"{SWEEP} --out nowhere/rows.csv", ("--out:", "there is no folder")),
    (f"{SWEEP} --engine slurm", ("--engine:", "allowed: local, ray")),
    (f"{SWEEP} --address 127.0.0.1:1", ("--address:", "--engine ray")),
    (f"{SWEEP} --workers 0", ("--workers:",)),
    (f"{SWEEP} --engine ray --workers 2", ("--workers:", "--engine local")),
    (f"{SWEEP} --lang fr", ("--lang", "allowed: en, zh")),
    (f"{SWEEP} --sequence 4", ("unknown option '--sequence'",)),
    ("catalog list modells", ("unknown kind 'modells'", "did you mean 'models'")),
    ("catalog show h10O", ("did you mean 'h100'",)),
    ("catalog show accelerators h10O", ("did you mean 'h100'",)),
    ("catalog show", ("[KIND] NAME: is missing",)),
    ("catalog show a b c", ("expected [KIND] NAME",)),
    ("catalog search qqqq", ("'qqqq'",)),
    ("catalog import nowhere.json", ("nowhere.json: no such file",)),
]

CONFIGS = [
    ("{", "config.json:1: not JSON"),
    ("[1]", "expected the mapping"),
    ("{}", "architectures"),
    ('{"a": 1, "a": 2}', "key 'a' is given twice"),
    ("[" * 100_000, "nested too deep"),
    ('{"hidden_size": ' + "9" * 5000 + "}", "too many digits"),
    ('{"architectures": ["LlamaForCausalM"]}', "did you mean 'LlamaForCausalLM'"),
    ('{"architectures": ["LlamaForCausalLM"], "num_hidden_layers": NaN}', "config.json: "),
]

ROWS = [
    ("", "is empty"),
    (CSV.replace("gpus", "gpuss"), "runs.csv:1: unknown column 'gpuss'; did you mean 'gpus'"),
    (CSV.replace(",128,", ",12x8,"), "runs.csv:2: global_batch_sequences"),
    (CSV.replace(",11.0", ",nan"), "runs.csv:2: step_time_s"),
    (CSV.replace(",11.0", ""), "runs.csv:2: expected 11 cells"),
    (CSV.replace("llama3.1-8b", "my-model"), "my-model"),
]


@pytest.fixture
def refused(myriad):
    """Runs a command that must be refused and gives its one line."""

    def call(*arguments: str) -> str:
        before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
        done = myriad(*arguments)
        assert done.code == 2
        assert done.out == ""
        assert done.err.startswith("myriad: error: ")
        assert done.err.endswith("\n")
        assert done.err.count("\n") == 1
        assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
        return done.err

    return call


@pytest.mark.parametrize(
    ("text", "wrong", "wanted"), IN_SYSTEM, ids=[wrong[:40] or "left out" for _, wrong, _ in IN_SYSTEM]
)
def test_a_wrong_value_in_a_system_file(refused, system, text, wrong, wanted):
    whole = system.read_text("utf-8")
    assert text in whole
    system.write_text(whole.replace(text, wrong, 1), "utf-8")
    line = refused("plan", "system.yaml", "--json", "plan.json", "--html", "report.html")
    assert line.startswith("myriad: error: system.yaml:")
    for part in wanted:
        assert part in line


@pytest.mark.parametrize(("text", "wrong", "wanted"), IN_GRID, ids=[wrong or text for text, wrong, _ in IN_GRID])
def test_a_wrong_value_in_a_grid(refused, text, wrong, wanted):
    assert text in GRID
    Path("grid.yaml").write_text(GRID.replace(text, wrong, 1), "utf-8")
    line = refused("sweep", "grid.yaml", "--out", "rows.csv", "--html", "sweep.html")
    assert line.startswith("myriad: error: grid.yaml:")
    for part in wanted:
        assert part in line


def test_an_option_cannot_change_half_of_what_the_file_zips(refused):
    Path("grid.yaml").write_text(GRID, "utf-8")
    assert "--price: the file zips precision and price" in refused("sweep", "grid.yaml", "--price", "2 USD/GPU-h")


def test_a_journal_that_is_none_is_left_alone(refused):
    Path("grid.yaml").write_text(GRID, "utf-8")
    Path("rows.csv.journal").write_text("dear diary\n")
    assert "rows.csv.journal: is not a journal" in refused("sweep", "grid.yaml", "--out", "rows.csv")


def test_parquet_without_its_package(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    Path("grid.yaml").write_text(GRID, "utf-8")
    assert "pip install 'myriad-ai[sweep]'" in refused("sweep", "grid.yaml", "--out", "rows.parquet")


def test_ray_without_its_package(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'myriad-ai[ray]'" in refused(*SWEEP.split(), "--engine", "ray")


@pytest.mark.parametrize(
    ("package", "needed_by"),
    [
        ("sqlalchemy", ("runs", "status x", "logs x", "cancel x", "supervise x", "calibrate system.yaml --from x")),
        ("psutil", ("logs x", "cancel x", "supervise x")),
    ],
)
def test_runs_without_their_packages(system, monkeypatch, package, needed_by):
    """In a process of its own: the rooms of runs are imported once."""
    monkeypatch.setenv("MYRIAD_DATABASE", "runs.sqlite")
    script = f"import sys; sys.modules['{package}'] = None; from myriad.cli import run\n"
    script += "print(*(run(words.split()) for words in sys.argv[1:]))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-P", "-c", script, *needed_by]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.stdout.split() == ["2"] * len(needed_by), done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(needed_by)
    assert all(one.endswith("install it with: pip install 'myriad-ai[run]'") for one in lines)
    assert not Path("runs.sqlite").exists()


@pytest.mark.parametrize(("content", "wanted"), WHOLE_FILES, ids=[wanted for _, wanted in WHOLE_FILES])
def test_a_file_that_is_no_system_file(refused, system, content, wanted):
    system.write_bytes(content)
    line = refused("plan", "system.yaml")
    assert line.startswith("myriad: error: system.yaml:")
    assert wanted in line


@pytest.mark.parametrize(("command", "wanted"), COMMAND_LINES, ids=[command for command, _ in COMMAND_LINES])
def test_a_wrong_command_line(refused, system, command, wanted):
    line = refused(*command.split())
    for part in wanted:
        assert part in line


@pytest.mark.parametrize(("content", "wanted"), CONFIGS, ids=[wanted for _, wanted in CONFIGS])
def test_a_file_that_is_no_configuration(refused, content, wanted):
    Path("config.json").write_text(content)
    assert wanted in refused("catalog", "import", "config.json", "--output", "model.yaml")


@pytest.mark.parametrize(("content", "wanted"), ROWS, ids=[wanted for _, wanted in ROWS])
def test_rows_that_cannot_be_read(refused, content, wanted):
    Path("runs.csv").write_text(content)
    assert wanted in refused("validate", "training", "--rows", "runs.csv", "--json", "errors.json")


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (SERVING_CSV.replace("tpot_ms", "tpot_s"), "unknown column 'tpot_s'; did you mean 'tpot_ms'"),
        (SERVING_CSV.replace(",12.5,", ",fast,"), "runs.csv:2: tpot_ms: expected a number above 0, found 'fast'"),
        (SERVING_CSV.replace("llama3.1-8b", "llama9-8b"), "none of the 1 rows can be judged"),
    ],
)
def test_serving_rows_that_cannot_be_judged(refused, content, wanted):
    Path("runs.csv").write_text(content)
    assert wanted in refused("validate", "serving", "--rows", "runs.csv", "--json", "errors.json")


@pytest.mark.parametrize(
    ("content", "wanted"),
    [("a: [", "models.yaml:"), ("- {name: x, layrs: 3}", "did you mean 'layers'"), ("name: x", "list")],
)
def test_models_that_cannot_be_read(refused, content, wanted):
    Path("runs.csv").write_text(CSV)
    Path("models.yaml").write_text(content)
    assert wanted in refused("validate", "training", "--rows", "runs.csv", "--models", "models.yaml")


def test_a_circle_of_includes_names_the_way(refused, system):
    system.write_text(system.read_text() + "include: [pools.yaml]\n")
    Path("pools.yaml").write_text("include: [system.yaml]\n")
    assert "system.yaml -> pools.yaml -> system.yaml" in refused("plan", "system.yaml")


def test_an_error_behind_an_include_names_the_included_file(refused, system):
    Path("pools.yaml").write_text("pools:\n  lab: {goodput: 2}\n")
    system.write_text(system.read_text() + "include: [pools.yaml]\n")
    assert "pools.yaml:2: pools.lab.goodput" in refused("plan", "system.yaml")


def test_a_name_with_control_characters_stays_one_line(refused):
    assert "\x1b" not in refused("plan", "no\n\x1b[31msuch.yaml")


def test_a_search_that_fails_leaves_the_old_result(refused):
    Path("found.json").write_text(json.dumps("old"))
    refused(*SEARCH.replace("8b", "405b").split(), "--json", "found.json")
    assert json.loads(Path("found.json").read_text()) == "old"
