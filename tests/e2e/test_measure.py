"""`myriad measure` as a process."""

import json

import pytest

SYSTEM = """\
myriad: 1
name: One core
models:
  small:
    {name: small, hidden: 256, vocab: 512, layers: [[dense, 2]], blocks: {dense:
    {mixer: {kind: gqa, heads: 4, kv_heads: 4, head_dim: 64}, feed_forward: {kind: dense, width: 768}}}}
pools:
  core: {node: one-core, count: 1}
jobs:
  train:
    {model: small, pools: [core], tokens: 1 M, seq_len: 256, global_batch: 4, precision: fp32, stack: reference,
    layout: {dp: 1, zero: 0}}
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--to: missing"),
        (("--to", "here", "--device", "gpu"), "unknown device"),
        (("--to", "here", "--precision", "fp8"), "unknown precision"),
        (("--to", "here", "--name", "My Machine"), "--name: expected lower-case"),
        (("--to", "no/such/folder"), "there is no folder"),
        (("--to", "here", "--ranks", "0"), "--ranks"),
        (("--to", "here", "--json", "here"), "--json: here is the folder of --to"),
    ],
)
def test_wrong_questions_are_refused_in_one_line(myriad, arguments, said):
    done = myriad("measure", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_what_cannot_be_kept_is_not_measured(myriad, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "kernels").write_text("a file")
    for arguments, said in [(("--to", "here"), "is a file"), (("--to", "there", "--name", "h100"), "'h100' is taken")]:
        done = myriad("measure", *arguments)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert said in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_machine_is_measured_shown_and_planned_on(myriad, tmp_path, monkeypatch):
    """The real thing on one rank, at few sizes."""
    for module in ("torch", "scipy"):
        pytest.importorskip(module, reason="needs the extras `train` and `calibrate`")
    done = myriad("measure", "--to", "mine", "--name", "one-core", "--ranks", "1", "--quick", "--json", "found.json")
    assert done.code == 0, done.err
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["name"], found["ranks"], found["link_bytes_per_s"]) == ("one-core", 1, None)
    assert found["peak_flops_per_s"] > 1e9
    monkeypatch.setenv("MYRIAD_CATALOG", "mine")
    shown = myriad("catalog", "show", "one-core")
    assert shown.code == 0
    assert "measured" in shown.out
    (tmp_path / "system.yaml").write_text(SYSTEM)
    planned = myriad("plan", "system.yaml", "--json", "plan.json")
    assert planned.code == 0, planned.err
    assert "one-core" in (tmp_path / "plan.json").read_text()
    again = myriad("measure", "--to", "mine", "--name", "one-core", "--device", "cuda", "--ranks", "64", "--quick")
    assert (again.code, again.err.count("\n")) == (2, 1)
    assert json.loads((tmp_path / "mine/measurements/machines/one-core.json").read_text())["cores"] >= 1
