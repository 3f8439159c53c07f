"""Small runs of the reference trainer as processes, and what their ranks said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from myriad.spec.run import RankEvent
from myriad.spec.trainer import TrainerConfig

BLOCK = {
    "mixer": {"kind": "gqa", "heads": 4, "kv_heads": 2, "head_dim": 16},
    "feed_forward": {"kind": "dense", "width": 128},
}
MODEL = {"name": "tiny", "hidden": 64, "vocab": 256, "blocks": {"dense": BLOCK}, "layers": [["dense", 4]]}
LATENT = {
    "kind": "mla", "heads": 4, "q_lora_rank": 24, "kv_lora_rank": 20, "qk_nope_head_dim": 12, "qk_rope_head_dim": 8,
    "v_head_dim": 14,
}  # fmt: skip
EXPERTS = {"kind": "moe", "experts": 8, "top_k": 3, "expert_width": 40, "shared_width": 56}
SPARSE = MODEL | {"blocks": {"dense": {"mixer": LATENT, "feed_forward": EXPERTS}}}
"""Latent attention and experts, as in DeepSeek V2 and V3."""
OPTIMIZER = {"learning_rate": 3e-3, "warmup_steps": 2}
PATIENCE_S = 300
"""Far more than any of it takes, for machines with much else to do."""
_ALONE = {"OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
"""Without the second, no restart over gloo finds its peers."""


def configuration(folder: Path, **changed: Any) -> TrainerConfig:
    """A run of a model of four layers, on one rank unless its layout says otherwise."""
    values: dict[str, Any] = {
        "model": MODEL, "layout": {}, "seq_len": 64, "global_batch": 8, "steps": 5, "optimizer": OPTIMIZER,
        "folder": str(folder),
    } | changed  # fmt: skip
    values["layout"] = {"zero": 0} | values["layout"]
    return TrainerConfig.model_validate(values)


def start(config: TrainerConfig, restarts: int = 0, ranks: int | None = None) -> subprocess.Popen[bytes]:
    """The trainer, through torchrun where it has several ranks; its output goes to `log` in the run's folder."""
    folder = Path(config.folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "trainer.json"
    file.write_text(config.model_dump_json())
    ranks = ranks or config.layout.world_size
    command = [sys.executable]
    if ranks > 1:
        command += ["-m", "torch.distributed.run", "--standalone", f"--max-restarts={restarts}"]
        command += [f"--nproc-per-node={ranks}"]
    command += ["-m", "myriad.trainer", str(file)]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | _ALONE)


def gradients(cases: Mapping[str, TrainerConfig], folder: Path, ranks: int) -> list[tuple[TrainerConfig, Any]]:
    """What `trainer_gradients.py` finds on each rank, case by case; ranks start once for all cases."""
    file = folder / "cases.json"
    file.write_text(json.dumps({name: config.model_dump(mode="json") for name, config in cases.items()}))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    command += [str(Path(__file__).with_name("trainer_gradients.py")), str(file), str(folder)]
    subprocess.run(command, check=True, timeout=PATIENCE_S, env=os.environ | _ALONE)
    said = [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(ranks)]
    return [(cases[name], one[name]) for one in said for name in cases]


def finish(process: subprocess.Popen[bytes]) -> int:
    """The exit code; a process that does not end is killed, which fails the test."""
    try:
        return process.wait(PATIENCE_S)
    finally:
        process.kill()


def train(config: TrainerConfig, ranks: int | None = None) -> list[RankEvent]:
    """Events of rank 0 of a whole run, which has to end well."""
    code = finish(start(config, ranks=ranks))
    assert code == 0, (Path(config.folder) / "log").read_text()
    return events(Path(config.folder))


def events(folder: Path, life: str = "000.000", rank: int = 0) -> list[RankEvent]:
    """What a rank has said so far, without a line that it is about to finish."""
    path = folder / "events" / life / f"rank-{rank:05d}.jsonl"
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [RankEvent.model_validate_json(line) for line in lines if line]


def wait_for(said: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Returns once it was said. Fails if the process ends before."""
    deadline = time.monotonic() + PATIENCE_S
    while not said():
        assert process.poll() is None, "the trainer has ended"
        assert time.monotonic() < deadline, "nothing was said"
        time.sleep(0.05)


def losses(found: Sequence[RankEvent]) -> dict[int, float]:
    """Loss by step."""
    return {e.step: e.loss for e in found if e.kind == "step" and e.step is not None and e.loss is not None}


def norms(found: Sequence[RankEvent]) -> dict[int, float]:
    """Norm of the gradients by step."""
    return {
        e.step: e.gradient_norm
        for e in found
        if e.kind == "step" and e.step is not None and e.gradient_norm is not None
    }


def token_sums(found: Sequence[RankEvent]) -> dict[int, int]:
    """CRC-32 of the tokens by step."""
    return {e.step: e.tokens_crc for e in found if e.kind == "step" and e.step is not None and e.tokens_crc is not None}


def write_control(folder: Path, **asked: Any) -> None:
    """Replaces the control file as a whole."""
    part = folder / "control.part"
    part.write_text(json.dumps(asked))
    part.rename(folder / "control.json")
