"""The reference trainer as processes: layouts that agree, and runs that are ended in every way."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from trainer_runs import (
    MODEL,
    SPARSE,
    configuration,
    events,
    finish,
    losses,
    norms,
    start,
    token_sums,
    train,
    wait_for,
    write_control,
)

pytest.importorskip("torch", reason="needs the extra `train`")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Five steps on one rank."""
    return train(configuration(tmp_path_factory.mktemp("alone")))


@pytest.mark.parametrize(
    "layout",
    [
        {"dp": 2, "micro_batch": 2},
        {"dp": 2, "zero": 1},
        {"dp": 2, "zero": 3, "recompute": "full"},
        {"tp": 2, "micro_batch": 2},
        {"pp": 2, "vpp": 2, "micro_batch": 2},
        {"pp": 2, "schedule": "zero-bubble"},
        {"dp": 2, "pp": 2, "zero": 1, "order": "tp-cp-ep-pp-dp"},
    ],
    ids=lambda layout: " ".join(f"{key} {value}" for key, value in layout.items()),
)
def test_layouts_train_on_the_same_tokens_to_the_same_losses(
    layout: dict[str, Any], alone: Any, tmp_path: Path
) -> None:
    found = train(configuration(tmp_path, layout=layout))
    assert token_sums(found) == token_sums(alone)
    assert losses(found) == pytest.approx(losses(alone), rel=1e-5)
    # Adam hides what is wrong with all gradients alike, such as parts that are counted twice.
    assert norms(found) == pytest.approx(norms(alone), rel=1e-4)
    for rank in range(2):
        steps = [event for event in events(tmp_path, rank=rank) if event.kind == "step"]
        assert all(0 < (event.own_s or 0) <= (event.step_s or 0) and event.memory_bytes for event in steps)


def test_latents_and_experts_train_and_go_on_tensor_parallel_as_on_one_rank(tmp_path: Path) -> None:
    def run(name: str, **layout: Any) -> Any:
        return configuration(tmp_path / name, model=SPARSE, layout=layout)

    uncut = train(run("alone"))
    cut = run("cut", tp=2, etp=2, micro_batch=2)
    (tmp_path / "cut").mkdir()
    write_control(tmp_path / "cut", stop_after_step=2)
    train(cut)
    write_control(tmp_path / "cut")
    found = train(cut)
    assert [event.step for event in found if event.kind == "start"] == [0, 2]
    assert losses(found) == pytest.approx(losses(uncut), rel=1e-5)
    assert losses(found) == losses(train(run("whole", tp=2, etp=2, micro_batch=2)))  # bit for bit
    assert token_sums(found) == token_sums(uncut)


def test_a_tied_table_goes_from_layout_to_layout(tmp_path: Path) -> None:
    """It is one table in checkpoints, on one rank, on the two ends of a pipeline, and twice on the end of a V."""
    model = MODEL | {"tied_embeddings": True}
    whole = train(configuration(tmp_path / "whole", model=model, steps=4))
    folder = tmp_path / "parts"
    folder.mkdir()
    v = {"pp": 2, "vpp": 2, "schedule": "zb-v"}
    for step, layout in enumerate([{}, {"pp": 2}, v, {}], start=1):
        write_control(folder, stop_after_step=step)
        train(configuration(folder, model=model, steps=4, layout=layout))
    found = events(folder) + events(folder, rank=1)
    assert losses(events(folder)) == pytest.approx(losses(whole), rel=1e-5)
    assert norms(events(folder)) == pytest.approx(norms(whole), rel=1e-4)
    assert {event.step for event in found if event.kind == "start"} == {0, 1, 2, 3}


def test_losses_after_a_killed_rank_are_those_of_the_undisturbed_run(tmp_path: Path) -> None:
    def run(name: str) -> Any:
        layout = {"dp": 2, "zero": 3}
        return configuration(tmp_path / name, steps=48, layout=layout, checkpoint={"every_steps": 4, "keep": 12})

    whole = train(run("whole"))
    config = run("killed")
    folder = Path(config.folder)
    process = start(config, restarts=1)
    wait_for(lambda: any(event.step == 6 for event in events(folder, rank=1)), process)
    pid = events(folder, rank=1)[0].pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    assert finish(process) == 0
    before, after = events(folder), events(folder, "000.001")
    assert after[0].step in range(4, 48, 4)
    assert before[-1].kind == "error"
    assert losses(before) | losses(after) == losses(whole)  # bit for bit
    assert token_sums(before) | token_sums(after) == token_sums(whole)
    assert after[-1].kind == "finish"


def test_a_broken_checkpoint_is_skipped_and_said(tmp_path: Path) -> None:
    def run(steps: int) -> Any:
        return configuration(tmp_path, steps=steps, checkpoint={"every_steps": 2})

    train(run(4))
    newest = tmp_path / "checkpoints" / "step-00000004"
    with next(newest.glob("*.distcp")).open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    (tmp_path / "checkpoints" / "step-00000006").mkdir()  # half-written, without its manifest
    found = train(run(6))
    second = [event for event in found if event.kind == "start"][1]
    assert second.step == 2
    assert "step-00000006 was skipped: manifest.json" in str(second.text)
    assert "is not what was written" in str(second.text)
    assert [event.step for event in found if event.kind == "step"] == [1, 2, 3, 4, 3, 4, 5, 6]


def test_a_full_disk_costs_a_checkpoint_and_not_the_run(tmp_path: Path) -> None:
    config = configuration(tmp_path, steps=100_000, checkpoint={"every_steps": 3})
    process = start(config)

    def last(kind: str) -> int:
        return max((event.step or 0 for event in events(tmp_path) if event.kind == kind), default=0)

    wait_for(lambda: last("checkpoint") >= 3, process)
    whole = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1 << 20, whole[1]))  # no file may grow over 1 MiB
    wait_for(lambda: last("error") > 0, process)
    kept = last("checkpoint")
    assert (tmp_path / "checkpoints" / f"step-{kept:08d}" / "manifest.json").exists()
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, whole)
    wait_for(lambda: last("checkpoint") > last("error"), process)
    write_control(tmp_path, stop_after_step=1)
    assert finish(process) == 0
    found = events(tmp_path)
    text = next(event.text for event in found if event.kind == "error")
    assert text is not None
    assert "was not written: rank 0: " in text
    steps = [event.step for event in found if event.kind == "step"]
    assert steps == list(range(1, len(steps) + 1))
    assert not list((tmp_path / "checkpoints").glob("*.part"))
    assert found[-1].kind == "finish"


def test_a_terminated_run_saves_and_goes_on_where_it_was(tmp_path: Path) -> None:
    config = configuration(tmp_path, steps=100_000, checkpoint={"asynchronous": True})
    process = start(config)
    wait_for(lambda: len(events(tmp_path)) > 4, process)
    process.terminate()
    assert finish(process) == 143
    first = events(tmp_path)
    assert first[-1].kind == "checkpoint"
    assert first[-1].step == max(losses(first))
    again = start(config)
    wait_for(lambda: len(events(tmp_path)) > len(first) + 1, again)
    write_control(tmp_path, stop_after_step=1)
    assert finish(again) == 0
    second = events(tmp_path)[len(first) :]
    assert second[0].step == first[-1].step
    assert min(losses(second)) == max(losses(first)) + 1


def test_an_elastic_run_goes_on_with_fewer_replicas(tmp_path: Path) -> None:
    def run(name: str, steps: int) -> Any:
        return configuration(tmp_path / name, steps=steps, layout={"dp": 2, "zero": 3}, elastic=True)

    whole = train(run("whole", 6))
    (tmp_path / "shrinks").mkdir()
    write_control(tmp_path / "shrinks", stop_after_step=3)
    train(run("shrinks", 6))
    write_control(tmp_path / "shrinks")
    found = train(run("shrinks", 6), ranks=1)
    starts = [(event.step, event.world_size) for event in found if event.kind == "start"]
    assert starts == [(0, 2), (3, 1)]
    assert token_sums(found) == token_sums(whole)
    assert losses(found) == pytest.approx(losses(whole), rel=1e-5)


def test_what_cannot_run_is_one_line(tmp_path: Path) -> None:
    process = start(configuration(tmp_path, layout={"dp": 1, "shard": 0, "recompute": ["moe_act"]}))
    assert finish(process) == 2
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.startswith("error: layout.recompute: the reference trainer does not know moe_act")
    assert not (tmp_path / "events").exists()
