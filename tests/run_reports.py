"""Reports of made runs for pages and texts: one with everything in it, one that has only begun."""

from __future__ import annotations

import math
import random

from myriad.run.report import run_report
from myriad.spec.run import RunReport, RunSummary
from run_fixtures import small_launch
from run_histories import History

PROMISE = {
    "step_s": 0.95, "step_low_s": 0.85, "step_high_s": 1.08, "tokens_per_step": 65536.0, "model_flops_per_token": 6e8,
    "peak_flops_per_s": 5e13, "mfu": 0.207, "memory_peak_bytes": 2.4e9, "ettr": 0.93,
    "ledger": {"productive": 0.93, "checkpoint": 0.012, "lost_work": 0.02, "detection": 0.006, "restart": 0.03},
    "mean_time_to_interruption_s": 600.0, "checkpoint_interval_s": 50.0, "checkpoint_blocking_s": 0.6,
    "restart_s": 15.0, "wall_s": 1100.0,
}  # fmt: skip


def eventful(state: str = "finished") -> RunReport:
    """A thousand steps; killed twice, one rank slow for a while, one hang; random by a fixed seed."""
    draw = random.Random(7)
    run = History(start_s=1_795_000_000.0, step_s=1.0, tokens_per_step=65536, ranks=1)

    def train(life: str, first: int, last: int, factor: float = 1.0) -> None:
        for step in range(first, last + 1):
            seconds = factor * 0.97 * math.exp(draw.gauss(0.0, 0.03)) + (2.0 if step == first else 0.0)
            run.train(life, step, step, step_s=seconds, checkpoint_every=50, blocking_s=0.5)
            written = next(index for index in range(len(run.events[life]) - 1, -1, -1)
                           if run.events[life][index].kind == "step")  # fmt: skip
            loss = 2.2 + 3.3 * math.exp(-step / 180) + draw.gauss(0.0, 0.03)
            memory = int(2.1e9 + 1.5e8 * (1 - math.exp(-step / 40)))
            run.events[life][written] = run.events[life][written].model_copy(
                update={"loss": loss, "memory_bytes": memory}
            )

    run.tell("created")
    run.submit(0, 4.0)
    run.begin("000.000", start_s=9.0)
    train("000.000", 1, 283)
    run.now_s += 4.0
    run.begin("000.001", 250, start_s=8.0, read_s=1.2)
    train("000.001", 251, 480)
    run.tell("slow-rank", 0.0, life="000.001", rank=3, node="node-0",
             text="computes 1.6 times as long as the median of 4 ranks")  # fmt: skip
    train("000.001", 481, 530, 1.6)
    run.tell("slow-recovered", 0.0, life="000.001", rank=3)
    train("000.001", 531, 640)
    run.tell("hang", 30.0, life="000.001", text="no step of any rank for 30 s")
    run.tell("restart", 2.0, text="restart 2, from step 600")
    run.submit(1, 12.0)
    run.begin("001.000", 600, start_s=9.0, read_s=1.4)
    run.tell("retuned", 0.0, text="checkpoints every 38 s: writing takes 0.5 s, an interruption comes every 400 s")
    train("001.000", 601, 1000)
    run.finish("001.000", 1000)
    run.tell("finished", 1.0)
    summary = RunSummary(
        run="pretrain-0003", name="pretrain", state=state, scheduler="slurm", folder="/runs/pretrain-0003",
        created_s=run.start_s, ended_s=run.time_s if state == "finished" else None, step=1000,
        steps=1000 if state == "finished" else 4000, loss=2.21, restarts=2, supervised=state != "finished",
    )  # fmt: skip
    launch = small_launch("pretrain", 1000, **PROMISE)
    return run_report(summary, launch, run.lives, run.told, run.time_s, 38.0)


def begun() -> RunReport:
    """Submitted, and no step yet; nothing was promised of failures."""
    run = History()
    run.tell("created")
    run.submit(0, 4.0)
    summary = RunSummary(run="tune-0001", name="tune", state="queued", scheduler="local", folder="/runs/tune-0001",
                         created_s=run.start_s, steps=20, supervised=True)  # fmt: skip
    return run_report(summary, small_launch("tune"), run.lives, run.told, run.time_s)
