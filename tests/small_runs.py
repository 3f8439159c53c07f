"""A small job of the reference trainer, rendered into the folder of a run, and what its ranks wrote there."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from myriad.api.training_launch import training_files
from myriad.run.described import Backend, RunFolder, Sighting, Submission
from myriad.spec.training_launch import TrainingLaunch

ROOT = Path(__file__).parent.parent

_HERE = {
    "MYRIAD_PYTHON": sys.executable,
    "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]),
}
"""This interpreter and this source, whatever is installed."""
_ATTENTION = {"kind": "gqa", "heads": 4, "kv_heads": 2, "head_dim": 16}
_MODEL = {
    "name": "small decoder",
    "hidden": 64,
    "vocab": 256,
    "blocks": {"dense": {"mixer": _ATTENTION, "feed_forward": {"kind": "dense", "width": 128}}},
    "layers": [["dense", 2]],
}


def small_launch(
    scheduler: dict[str, Any],
    *,
    nodes: int = 2,
    ranks_per_node: int = 1,
    steps: int = 30,
    seq_len: int = 64,
    interval_s: float = 1.0,
    **more: Any,
) -> TrainingLaunch:
    """A decoder of two layers, sharded over all ranks, saved every `interval_s`."""
    ranks = nodes * ranks_per_node
    values: dict[str, Any] = {
        "name": "small",
        "system": "tests",
        "job": "small",
        "pool": "here",
        "model_id": "small-decoder",
        "model": _MODEL,
        "layout": {"dp": ranks},
        "work": {"seq_len": seq_len, "global_batch": 2 * ranks, "precision": "fp32", "stack": "reference"},
        "steps": steps,
        "accelerator": "cpu-core",
        "device": "cpu",
        "node": "here",
        "gpus_per_node": ranks_per_node,
        "nodes": nodes,
        "checkpoint_interval_s": interval_s,
        "checkpoint_asynchronous": False,
        "launch": {"framework": "reference", "environment": _HERE},
        "scheduler": scheduler,
        "promise": {
            "step_s": 0.1,
            "tokens_per_step": float(2 * ranks * seq_len),
            "model_flops_per_token": 1e6,
            "peak_flops_per_s": 1e10,
            "memory_peak_bytes": 1e9,
            "mfu": 0.1,
        },
    }
    return TrainingLaunch.model_validate(values | more)


def run_folder(path: Path, launch: TrainingLaunch) -> RunFolder:
    """The folder with everything that a backend needs in it."""
    folder = RunFolder(path)
    for made in (folder.files, folder.events, folder.logs, folder.checkpoints):
        made.mkdir(parents=True, exist_ok=True)
    folder.launch.write_text(launch.model_dump_json(), "utf-8")
    for file in training_files(launch):
        (folder.files / file.path).write_text(file.text, "utf-8")
    return folder


def run_here(folder: RunFolder, timeout_s: float) -> None:
    """The run without a scheduler and without a disturbance: every node's part as a process of this machine."""
    launch = TrainingLaunch.model_validate_json(folder.launch.read_bytes())
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    shared = {"NNODES": str(launch.nodes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"MYRIAD_SUBMISSION": "0", "MYRIAD_RUN_FOLDER": str(folder.path)}
    parts = []
    with (folder.logs / "000.log").open("wb") as log:
        for rank in range(launch.nodes):
            environment = os.environ | shared | {"NODE_RANK": str(rank)}
            command = ["sh", str(folder.files / "start.sh")]
            parts.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    try:
        assert [part.wait(timeout=timeout_s) for part in parts] == [0] * launch.nodes
    finally:
        for part in parts:
            part.terminate()


def submission(folder: RunFolder, number: int = 0, **more: Any) -> Submission:
    return Submission("small-0001", number, folder, {}, **more)


def events(folder: RunFolder, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Life and event of rank 0, in order; a line that is being written is left out."""
    found = []
    for path in sorted(folder.events.glob("*/rank-00000.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if event["kind"] == kind:
                found.append((path.parent.name, event))
    return found


def last_step(folder: RunFolder) -> int:
    return max((event["step"] for _, event in events(folder, "step")), default=0)


def curve(folder: RunFolder) -> dict[int, tuple[float, int]]:
    """Loss and CRC of the tokens by step; of a step that was trained twice, the later."""
    return {event["step"]: (event["loss"], event["tokens_crc"]) for _, event in events(folder, "step")}


def ended(backend: Backend, handle: str, timeout_s: float) -> tuple[Sighting, list[Sighting]]:
    """The last of all different sightings of a submission, as it has ended, and those before."""
    seen: list[Sighting] = []
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        one = backend.look(handle)
        if not seen or one != seen[-1]:
            seen.append(one)
        if one.state == "ended":
            return one, seen
        time.sleep(0.3)
    raise TimeoutError(f"after {timeout_s:.0f} s: {seen[-1]}")


def check_recovery(disturbed: RunFolder, undisturbed: RunFolder, steps: int) -> int:
    """Steps that were trained again. All that lasts is equal to the bit, and no step is missing."""
    assert list(curve(undisturbed)) == list(range(1, steps + 1))
    assert curve(disturbed) == curve(undisturbed)
    first, second, *_ = (event["step"] for _, event in events(disturbed, "start"))
    assert first == 0
    saved = [event["step"] for life, event in events(disturbed, "checkpoint") if life == "000.000"]
    assert second in saved, "it went on from a checkpoint"
    assert len({life for life, _ in events(disturbed, "step")}) == 2
    check_lives_apart(disturbed)
    before = [event["step"] for life, event in events(disturbed, "step") if life == "000.000"]
    return before[-1] - second


def check_lives_apart(folder: RunFolder) -> None:
    """No rank of a life has written anything after the first of the next has begun."""
    spans = []
    for life in sorted(folder.events.iterdir()):
        lines = [line for path in life.glob("rank-*.jsonl") for line in path.read_text("utf-8").splitlines()]
        times = [json.loads(line)["time_s"] for line in lines]
        spans.append((min(times), max(times)))
    assert all(last < first for (_, last), (first, _) in itertools.pairwise(spans)), spans
