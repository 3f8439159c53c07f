"""Predicted against measured step times of the reference trainer on this machine.

    python benchmarks/reference_steps.py [--only NAME] [--steps 8] [--rounds 1] [--node NODE] [--write] [--kept]
                                         [--parts]

Trains every case of data/measurements/reference-trainer/cases.yaml through torchrun, one after the other: two steps
warm up, the median of the others is the measured time, beside the fastest and the slowest. `--rounds 3` goes through
all cases three times, so that a machine that is slow for a while is so in one round of a case only. Predictions come
from the catalog's node of that name and so many ranks (NODE-2r for two), which `myriad measure` wrote. `--write` renews
NODE.csv beside the cases, with `--only` the rows of these; `--kept` trains nothing and shows that file. Five to twelve
minutes a round on two cores.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

import myriad
from myriad.spec.job import Optimizer, TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.model import Model
from myriad.spec.result import TrainingEstimate
from myriad.spec.run import RankEvent
from myriad.spec.trainer import TrainerConfig

FOLDER = Path(str(files("myriad"))) / "data" / "measurements" / "reference-trainer"
NODES = ("xeon-cascade-lake", "xeon-amx")
"""The machines of which times are kept."""
WARM_UP = 2
LIMIT_S = 180.0
ADAMW = Optimizer(
    name="adamw", weight_bytes=4, gradient_bytes=4, master_bytes=0, moment_bytes=8, gradient_reduce_bytes=4
)


@dataclass(frozen=True)
class Case:
    """One thing to train."""

    name: str
    model: Model
    layout: Layout
    seq_len: int
    global_batch: int

    def predicted(self, node: str) -> TrainingEstimate:
        """What the estimate says of it."""
        work = TrainingWork(
            seq_len=self.seq_len, global_batch=self.global_batch, precision="fp32", optimizer=ADAMW, stack="reference"
        )
        ranks = self.layout.world_size
        return myriad.estimate_training(self.model, f"{node}-{ranks}r:{ranks}", self.layout, work)


@dataclass(frozen=True)
class Measured:
    """Seconds of a step."""

    median_s: float
    low_s: float
    high_s: float
    steps: int


def cases() -> list[Case]:
    """What is trained, in the order of the file."""
    given = yaml.safe_load((FOLDER / "cases.yaml").read_text())
    models = {name: Model.model_validate(model) for name, model in given["models"].items()}
    return [
        Case(name, models[one["model"]], Layout.model_validate(one["layout"]), one["seq_len"], one["global_batch"])
        for name, one in given["cases"].items()
    ]


def train(case: Case, steps: int) -> list[float]:
    """Seconds of each step on its slowest rank, warm-up left out."""
    with tempfile.TemporaryDirectory() as folder:
        config = TrainerConfig(
            model=case.model, layout=case.layout, seq_len=case.seq_len, global_batch=case.global_batch, steps=steps,
            folder=folder,
        )  # fmt: skip
        path = Path(folder) / "config.json"
        path.write_text(config.model_dump_json())
        command = [
            sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
            str(case.layout.world_size), "-m", "myriad.trainer", str(path),
        ]  # fmt: skip
        ended = subprocess.run(
            command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=LIMIT_S,
            check=False,
        )  # fmt: skip
        if ended.returncode:
            raise RuntimeError(f"{case.name}: {(ended.stderr or ended.stdout)[-1500:]}")
        slowest: dict[int, float] = {}
        for file in Path(folder).glob("events/*/rank-*.jsonl"):
            for line in file.read_text().splitlines():
                event = RankEvent.model_validate_json(line)
                if event.kind == "step" and event.step and event.step_s:
                    slowest[event.step] = max(slowest.get(event.step, 0.0), event.step_s)
    return [seconds for step, seconds in slowest.items() if step > WARM_UP]


def train_all(chosen: list[Case], steps: int, rounds: int) -> dict[str, Measured]:
    """What all rounds measured of each case; none of one that failed."""
    seconds: dict[str, list[float]] = {case.name: [] for case in chosen}
    for number in range(1, rounds + 1):
        for case in [case for case in chosen if case.name in seconds]:
            say(f"round {number} of {rounds}: {case.name}")
            try:
                seconds[case.name] += train(case, steps)
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                say(f"{case.name:26} failed: {str(error).splitlines()[-1]}")
                del seconds[case.name]
    return {name: Measured(statistics.median(one), min(one), max(one), len(one)) for name, one in seconds.items()}


def kept(node: str) -> dict[str, Measured]:
    """The rows of NODE.csv; none where there is no such file."""
    path = FOLDER / f"{node}.csv"
    if not path.exists():
        return {}
    with path.open() as file:
        return {
            row["case"]: Measured(float(row["median_s"]), float(row["low_s"]), float(row["high_s"]), int(row["steps"]))
            for row in csv.DictReader(file)
        }


def table(measured: dict[str, Measured]) -> str:
    """NODE.csv."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["case", "median_s", "low_s", "high_s", "steps"])
    for name, one in measured.items():
        writer.writerow([name, *(f"{value:.4g}" for value in (one.median_s, one.low_s, one.high_s)), one.steps])
    return out.getvalue()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", help="case to run; may be given again")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--node", default=NODES[0], help="NODE of NODE-1r, NODE-2r and NODE-4r in the catalog")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--parts", action="store_true", help="show what the predicted step is made of")
    given = parser.parse_args()
    if given.steps <= WARM_UP or given.rounds < 1:
        parser.error(f"--steps: more than {WARM_UP}; --rounds: at least 1")
    unknown = set(given.only or ()) - {case.name for case in cases()}
    if unknown:
        parser.error(f"--only: there is no case {', '.join(sorted(unknown))}")
    chosen = [case for case in cases() if not given.only or case.name in given.only]
    measured = kept(given.node) if given.kept else train_all(chosen, given.steps, given.rounds)
    errors = []
    say(f"{'case':26} {'layout':34} {'measured, s':>11} {'spread':>7} {'predicted, s':>12} {'error':>7}")
    for case in chosen:
        if case.name not in measured:
            continue
        own = measured[case.name]
        estimate = case.predicted(given.node)
        error = estimate.step_s / own.median_s - 1.0
        errors.append(abs(error))
        spread = own.high_s / own.low_s - 1.0
        say(
            f"{case.name:26} {case.layout.text():34} {own.median_s:11.4f} {spread:7.0%} {estimate.step_s:12.4f} "
            f"{error:+7.1%}"
        )
        if given.parts:
            say("    " + json.dumps(_parts(estimate)))
    if not errors:
        raise SystemExit("nothing was measured")
    say(f"mean error {statistics.mean(errors):.1%}, median {statistics.median(errors):.1%} of {len(errors)} cases")
    if given.write:
        others = kept(given.node) if given.only else {}
        (FOLDER / f"{given.node}.csv").write_text(table(others | measured))


def _parts(estimate: TrainingEstimate) -> dict[str, Any]:
    return {name: round(seconds, 4) for name, seconds in estimate.time_parts_s.items() if seconds > 0}


if __name__ == "__main__":
    main()
