"""`myriad launch`: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FILE = """\
name: qwen
deployment:
  model: qwen3-32b
  accelerator: h200
  replicas:
    count: 3
    layout: {tp: 2}
    work: {engine: vllm@0.18, precision: fp8-block}
checkpoint: {path: Qwen/Qwen3-32B-FP8}
"""


@pytest.fixture
def deployment() -> str:
    Path("deployment.yaml").write_text(FILE, "utf-8")
    return "deployment.yaml"


def test_a_dry_run_prints_exactly_what_is_written(myriad, deployment):
    shown = myriad("launch", deployment, "--dry-run")
    assert (shown.code, shown.err) == (0, "")
    assert not Path("out").exists()
    done = myriad("launch", deployment, "--to", "out")
    assert (done.code, done.out) == (0, "")
    written = {path.name: path.read_text("utf-8") for path in Path("out").iterdir()}
    assert sorted(written) == ["kubernetes.yaml", "serve.sh"]
    for name, text in written.items():
        assert f"==> {name} <==\n{text}" in shown.out
        assert f"wrote out/{name}" in done.err


def test_json_holds_the_files(myriad, deployment):
    found = json.loads(myriad("launch", deployment, "--json", "-").out)
    assert [file["path"] for file in found["files"]] == ["serve.sh", "kubernetes.yaml"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("vllm@0.18", "vllm@0.18.9"), "the flags of vllm 0.18.9 are not known; did you mean '0.18.0'?"),
        (("{tp: 2}", "{tp: 2, ep: 2}"), "layout.ep: found 2, but qwen3-32b has no experts to spread"),
        (("qwen3-32b\n", "qwen3-23b\n"), "deployment.yaml:3: deployment.model: unknown model 'qwen3-23b'"),
        (("name: qwen", "name: Qwen 3"), "deployment.yaml:1: name: expected lower-case letters"),
        (("checkpoint:", "checkpoints:"), "deployment.yaml:9: unknown key 'checkpoints'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(myriad, deployment, change, said):
    Path(deployment).write_text(FILE.replace(*change), "utf-8")
    done = myriad("launch", deployment, "--to", "out")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not Path("out").exists()


def test_the_folder_is_asked_for(myriad, deployment):
    assert "--to: missing" in myriad("launch", deployment).err
    assert "there is no folder" in myriad("launch", deployment, "--to", "no/such/out").err
    assert "is a file, expected a folder" in myriad("launch", deployment, "--to", deployment).err
    assert "--dry-run writes nothing" in myriad("launch", deployment, "--to", "out", "--dry-run").err


def test_a_file_is_not_written_over_its_own_input(myriad, deployment):
    Path("out").mkdir()
    Path("out/kubernetes.yaml").write_text(FILE, "utf-8")
    done = myriad("launch", "out/kubernetes.yaml", "--to", "out")
    assert done.code == 2
    assert "would overwrite the input" in done.err
    assert Path("out/kubernetes.yaml").read_text("utf-8") == FILE
