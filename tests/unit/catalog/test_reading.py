"""Files of the user: what is read, and that each wrong file gives one line with file and line."""

import json
import os
import time

import pytest

from myriad.catalog import read_spec
from myriad.errors import SpecError
from myriad.spec.system import System

GOOD = """\
myriad: 1
name: small
pools:
  own:
    accelerator: h100
    count: 16
    terms: {kind: rented, price: 2 USD/GPU-h}
models:
  tiny: llama3.1-8b
jobs:
  pretrain:
    model: tiny
    pools: [own]
    tokens: 15 B tokens
    seq_len: 4096
    global_batch: 1e3
    precision: bf16
    layout: {tp: 8, recompute: selective}
"""

MODEL = (
    "tiny: {name: T, hidden: 64, vocab: 100, layers: [[dense, 2]], "
    "blocks: {dense: {feed_forward: {kind: dense, width: 128}}}}"
)


def error_of(path):
    with pytest.raises(SpecError) as caught:
        read_spec(path, System)
    text = str(caught.value)
    assert "\n" not in text
    assert "pydantic" not in text.lower()
    assert "Value error" not in text
    assert "Input should" not in text
    return text


def write(folder, text, name="system.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_units_counts_and_defaults(tmp_path):
    system = read_spec(write(tmp_path, GOOD), System)
    job = system.jobs["pretrain"]
    assert job.tokens == 15e9
    assert job.global_batch == 1000
    assert job.layout.recompute == ("core_attn",)
    assert system.pools["own"].terms.price.amount == pytest.approx(2 / 3600)


def test_reads_a_model_written_out(tmp_path):
    system = read_spec(write(tmp_path, GOOD.replace("tiny: llama3.1-8b", MODEL)), System)
    assert system.models["tiny"].num_layers == 2


def test_reads_json(tmp_path):
    data = {"myriad": 1, "name": "j", "pools": {"p": {"accelerator": "h100", "count": 8}}}
    data["jobs"] = {"a": {"model": "m", "seq_len": 1, "global_batch": 1}}
    assert read_spec(write(tmp_path, json.dumps(data, indent=1), "s.json"), System).name == "j"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("tokens: 15", "tokns: 15", 14, "jobs.pretrain: unknown key 'tokns'; did you mean 'tokens'?"),
        ("count: 16", "cuont: 16", 6, "pools.own: unknown key 'cuont'; did you mean 'count'"),
        ("price: 2 USD", "prise: 2 USD", 7, "pools.own.terms: unknown key 'prise'; did you mean 'price'?"),
        ("recompute: sel", "recomptue: sel", 18, "jobs.pretrain.layout: unknown key 'recomptue'; did you mean 'recomp"),
        ("name: small", "nmae: small", 2, "unknown key 'nmae'; did you mean 'name'?"),
        ("15 B tokens", "15 TB", 14, "jobs.pretrain.tokens: unknown unit 'TB' for tokens in '15 TB'; did you mean"),
        ("15 B tokens", "-3", 14, "jobs.pretrain.tokens: must be greater than 0, found -3"),
        ("15 B tokens", "many", 14, "jobs.pretrain.tokens: 'many' is not a number with a unit"),
        ("15 B tokens", "NaN", 14, "jobs.pretrain.tokens: 'NaN' is not a number with a unit"),
        ("15 B tokens", ".nan", 14, "jobs.pretrain.tokens: expected a finite number, found .nan"),
        ("15 B tokens", "[1]", 14, "jobs.pretrain.tokens: expected a quantity (tokens), found list"),
        ("15 B tokens", "true", 14, "jobs.pretrain.tokens: expected a quantity (tokens), found bool"),
        ("count: 16", "count: -16", 6, "pools.own.count: must be greater than or equal to 1, found -16"),
        ("count: 16", "count: 0", 6, "pools.own.count: must be greater than or equal to 1, found 0"),
        ("count: 16", "count: 1.5", 6, "pools.own.count: expected a whole number, found 1.5"),
        ("count: 16", "count: 16 GB", 6, "pools.own.count: unknown unit 'GB' for tokens in '16 GB'"),
        ("count: 16", "count: true", 6, "pools.own.count: expected a whole number, found true"),
        ("count: 16", "count: {a: 1}", 6, "pools.own.count: expected a whole number, found a mapping"),
        ("    count: 16\n", "", 4, "pools.own.count: this key is missing"),
        ("bf16", "bf61", 17, "jobs.pretrain.precision: found text 'bf61', allowed: fp32, tf32, fp16, bf16, fp8"),
        ("kind: rented", "kind: lent", 7, "pools.own.terms.kind: found text 'lent', allowed: owned, rented"),
        ("kind: rented, ", "", 7, "pools.own.terms.kind: this key is missing"),
        ("2 USD/GPU-h", "2", 7, "pools.own.terms.rented.price: an amount of money needs its currency"),
        ("2 USD/GPU-h", "2 USB/GPU-h", 7, "pools.own.terms.rented.price: unknown currency 'USB'"),
        ("2 USD/GPU-h", "2 USD/kWh", 7, "expected a price per gpu_s, found one per joule"),
        ("selective", "banana", 18, "jobs.pretrain.layout.recompute: unknown recompute module 'banana'"),
        ("tp: 8", "tp: eight", 18, "jobs.pretrain.layout.tp: 'eight' is not a number with a unit"),
        ("tp: 8", "vpp: 2", 18, "jobs.pretrain.layout: vpp above 1 needs pp above 1"),
        ("pools: [own]", "pools: [onw]", 13, "jobs.pretrain.pools: unknown pool 'onw'; did you mean 'own'?"),
        ("pools: [own]", "pools: own", 13, "jobs.pretrain.pools: expected a list, found text 'own'"),
        ("accelerator: h100", "node: d\n    accelerator: h100", 4, "pools.own: give either node or accelerator"),
        ("tiny: llama3.1-8b", "tiny: 3", 9, "models.tiny: expected text or a mapping, found 3"),
        (
            "tiny: llama3.1-8b",
            MODEL.replace("dense, 2", "dnse, 2"),
            9,
            "models.tiny: unknown block 'dnse'; did you mean",
        ),
        ("tiny: llama3.1-8b", MODEL.replace("width", "wdth"), 9, "blocks.dense.feed_forward: unknown key 'wdth'; did"),
        ("tiny: llama3.1-8b", MODEL.replace("hidden: 64", "hidden: -1"), 9, "models.tiny.hidden: must be greater than"),
        (
            "tiny: llama3.1-8b",
            MODEL.replace("kind: dense", "kind: dens"),
            9,
            "feed_forward.kind: found text 'dens', allowe",
        ),
        (
            "tiny: llama3.1-8b",
            "tiny: {name: x, hiden: 2}",
            9,
            "models.tiny: unknown key 'hiden'; did you mean 'hidden'",
        ),
        ("myriad: 1", "myriad: 2", 1, "myriad: found 2, allowed: 1"),
        ("jobs:", "jbos:", 10, "unknown key 'jbos'; did you mean 'jobs'?"),
        ("name: small", "name: [a]", 2, "name: expected text, found a list"),
        ("name: small", "name: no\nname: yes", 3, "key 'name' is given twice, first in line 2"),
    ],
)
def test_one_line_with_file_line_and_key(tmp_path, old, new, line, said):
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    text = error_of(path)
    assert text.startswith(f"{path}:{line}: ")
    assert said.replace(".terms.rented.", ".terms.") in text


def test_counts_the_other_problems(tmp_path):
    text = error_of(write(tmp_path, GOOD.replace("count: 16", "count: -1").replace("bf16", "bf61")))
    assert text.endswith("(and 1 more)")


def test_empty_pools(tmp_path):
    path = write(tmp_path, "myriad: 1\nname: x\npools: {}\njobs:\n  a: {model: m, seq_len: 1, global_batch: 1}\n")
    assert error_of(path) == f"{path}:3: pools: must have at least 1 entry, found a mapping"


def test_files_that_are_no_yaml(tmp_path):
    assert "no such file; did you mean 'system.yaml'?" in error_of(write(tmp_path, GOOD).with_name("sistem.yaml"))
    assert "nor a folder" in error_of(tmp_path / "nowhere" / "x.yaml")
    assert "is a folder" in error_of(tmp_path)
    assert error_of(write(tmp_path, "", "e.yaml")).endswith("e.yaml:1: the file is empty")
    assert "expected a mapping of keys to values, found a list" in error_of(write(tmp_path, "[1]", "l.yaml"))
    assert "expected a mapping of keys to values, found text 'hello'" in error_of(write(tmp_path, "hello", "t.yaml"))
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"\x7fELF\0\0\1")
    assert "is a binary file" in error_of(binary)
    binary.write_bytes(b"a: 1\nb: \xff\xfe\n")
    assert f"{binary}:2: is not UTF-8 text" in error_of(binary)


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in error_of(tmp_path / "pipe")


def test_an_unreadable_file(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, GOOD)
    monkeypatch.setattr(type(path), "read_bytes", refuse)
    assert error_of(path) == f"{path}: cannot be read: permission denied"


def test_ten_megabytes_are_refused_before_parsing(tmp_path):
    path = write(tmp_path, "a: 1\n" * 2_000_000)
    start = time.perf_counter()
    assert "10.0 MB is too large; at most 2 MB" in error_of(path)
    assert time.perf_counter() - start < 0.1


def test_include_merges_and_the_including_file_wins(tmp_path):
    (tmp_path / "shared").mkdir()
    write(tmp_path, GOOD, "shared/base.yaml")
    write(tmp_path, "pools: {own: {count: 32}}\n", "more.yaml")
    top = write(tmp_path, "include: [shared/base.yaml, more.yaml]\nname: top\njobs: {pretrain: {seq_len: 8192}}\n")
    system = read_spec(top, System)
    assert system.name == "top"
    assert system.pools["own"].count == 32
    assert system.pools["own"].accelerator == "h100"
    assert (system.jobs["pretrain"].seq_len, system.jobs["pretrain"].global_batch) == (8192, 1000)


def test_errors_name_the_included_file(tmp_path):
    base = write(tmp_path, GOOD.replace("count: 16", "count: -1"), "base.yaml")
    top = write(tmp_path, "include: [base.yaml]\nname: top\n")
    assert error_of(top).startswith(f"{base}:6: pools.own.count: ")


def test_cyclic_include_names_the_chain(tmp_path):
    write(tmp_path, "include: [b.yaml]\n", "a.yaml")
    write(tmp_path, "name: x\ninclude:\n  - a.yaml\n", "b.yaml")
    text = error_of(tmp_path / "a.yaml")
    assert text.endswith("b.yaml:3: include: files include each other in a circle: a.yaml -> b.yaml -> a.yaml")


def test_include_of_itself(tmp_path):
    assert "circle: a.yaml -> a.yaml" in error_of(write(tmp_path, "include: [./a.yaml]\n", "a.yaml"))


def test_include_of_a_missing_file_names_both_files(tmp_path):
    write(tmp_path, GOOD, "base.yaml")
    text = error_of(write(tmp_path, "include: [bse.yaml]\n"))
    assert "system.yaml:1: include: " in text
    assert "bse.yaml: no such file; did you mean 'base.yaml'" in text


@pytest.mark.parametrize("value", ["base.yaml", "3", "[3]", "['']", "{a: b}"])
def test_include_that_is_no_list_of_names(tmp_path, value):
    assert "include: expected a list of file names" in error_of(write(tmp_path, f"include: {value}\n"))
