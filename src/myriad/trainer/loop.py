"""Training: from the newest whole checkpoint to the last step, saving on the way."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from types import FrameType
from typing import Any, Final

import torch
import torch.distributed as dist

from myriad.errors import InfeasibleError, SpecError
from myriad.spec.trainer import TrainerConfig
from myriad.trainer.checkpoint import Checkpoints, Written
from myriad.trainer.control import ControlFile, Decision, decide
from myriad.trainer.data import Text, sequence_crc, step_crc
from myriad.trainer.engine import Engine, Trained
from myriad.trainer.events import EventLog, peak_memory_bytes
from myriad.trainer.parallel import Place
from myriad.trainer.waits import WaitClock

TERMINATED: Final = 128 + signal.SIGTERM
"""Exit code after a SIGTERM was obeyed: the step was finished and saved."""
UNSAVED: Final = 1
"""Exit code of a run whose last step could not be saved: it has to be trained again."""

_BESIDE_THE_MODEL: Final = {"name", "published", "stands_in_for", "max_context_tokens"}
"""Of its description, what may change while it is trained."""


@dataclass(frozen=True)
class Outcome:
    """What all ranks know after a step."""

    loss: float
    gradient_norm: float
    tokens_crc: int
    save: bool
    stop: bool
    terminated: bool


class Loop:
    """One rank's way through a run. Everything that ranks decide they decide from one sum over all, once a step."""

    def __init__(self, config: TrainerConfig, place: Place, text: Text, events: EventLog) -> None:
        self._config, self._place, self._text, self._events = config, place, text, events
        self._waits = WaitClock()
        self._engine = Engine(config, place)
        settings, folder = config.checkpoint, Path(config.folder)
        self._checkpoints = Checkpoints(
            folder / settings.folder, settings.keep, settings.asynchronous, identity(config, text)
        )
        self._control = ControlFile(folder / "control.json")
        self._last_saved_s = time.monotonic()
        self._blocking_s = 0.0
        self._last_failed = False
        self._terminated = False
        self._told_step = 0
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self._terminated = True

    def run(self, started_s: float) -> int:
        """Trains to the end; the exit code. `started_s` is when the process began, of the monotonic clock."""
        step = self._told_step = self._restore(started_s)
        if self._config.device == "cpu":
            self._waits.watch(lambda: self._events.write("wait", step=self._told_step + 1))
        self._last_saved_s = time.monotonic()
        outcome = None
        while step < self._config.steps and not (outcome and outcome.stop):
            step += 1
            outcome = self._step(step)
        self._tell(self._checkpoints.finished(wait=True))
        self._checkpoints.close()
        if outcome and self._last_failed:
            return UNSAVED
        if outcome and outcome.terminated:
            return TERMINATED
        if self._place.rank == 0:
            self._events.write("finish", step=step)
        return 0

    def _restore(self, started_s: float) -> int:
        start = time.perf_counter()
        found = self._checkpoints.newest()
        if found.folder is not None:
            for key, own in identity(self._config, self._text).items():
                before = found.belongs_to.get(key)
                if before != own:
                    another = f"{before}, not {own}" if isinstance(before, int) else "another"
                    raise SpecError(
                        f"{key}: {found.folder} was made with {another}; name another folder, or move it away"
                    )
            state = self._engine.state()
            self._checkpoints.load(state, found.folder)
            self._engine.restore(state)
        read_s = time.perf_counter() - start
        self._events.step = found.step
        self._events.write(
            "start",
            step=found.step,
            read_s=read_s if found.folder else None,
            start_s=time.monotonic() - started_s,
            host=socket.gethostname(),
            pid=os.getpid(),
            world_size=dist.get_world_size(),
            memory_bytes=self._memory_bytes(),
            text="; ".join(found.skipped) or None,
        )
        return found.step

    def _step(self, step: int) -> Outcome:
        start = time.perf_counter()
        self._waits.waited_s = 0.0
        self._events.step = step
        config, dp = self._config, self._config.layout.dp
        each = config.global_batch // dp
        first = self._place.index("dp") * each
        sequences = self._text.sequences((step - 1) * config.global_batch + first, each)
        trained = self._engine.train_step(torch.from_numpy(sequences).to(self._place.device), step)
        crcs = [0] * config.global_batch
        if self._place.index("pp") == 0 and self._place.index("tp") == 0:
            crcs[first : first + each] = [sequence_crc(row) for row in sequences]
        outcome = self._agree(step, trained, crcs)
        if not isfinite(outcome.loss) or not isfinite(outcome.gradient_norm):
            raise InfeasibleError(
                f"step {step}: loss {outcome.loss:.4g}, norm of gradients {outcome.gradient_norm:.4g}: training has "
                "diverged, and this step is not saved; a lower optimizer.learning_rate may help"
            )
        step_s = time.perf_counter() - start
        self._report(step, outcome, step_s)
        self._tell(self._checkpoints.finished())
        if outcome.save:
            self._save(step)
        return outcome

    def _agree(self, step: int, trained: Trained, crcs: list[int]) -> Outcome:
        """Sums over all ranks: parts of the loss, who was told to end, what rank 0 decides, CRCs of sequences."""
        decision = self._decide(step) if self._place.rank == 0 else Decision(False, False)
        part = trained.loss.item()  # of every rank: on a GPU the step has not ended before
        own_loss = part if self._place.index("tp") == 0 else 0.0
        own = [own_loss, float(self._terminated), float(decision.save), float(decision.stop), *map(float, crcs)]
        total = torch.tensor(own, dtype=torch.float64)
        dist.all_reduce(total)
        loss_sum, terminated, save, stop, *found = total.tolist()
        return Outcome(
            loss=loss_sum,
            gradient_norm=trained.gradient_norm.item(),
            tokens_crc=step_crc(map(int, found)),
            save=bool(save or terminated),
            stop=bool(stop or terminated),
            terminated=bool(terminated),
        )

    def _decide(self, step: int) -> Decision:
        control, trouble = self._control.read()
        if trouble:
            self._events.write("error", step=step, text=trouble)
        since_s = time.monotonic() - self._last_saved_s
        return decide(self._config.checkpoint, control, step, self._config.steps, since_s, self._checkpoints.busy)

    def _report(self, step: int, outcome: Outcome, step_s: float) -> None:
        own_s = step_s - self._waits.waited_s if self._config.device == "cpu" else None
        values: dict[str, Any] = {"step_s": step_s, "own_s": own_s, "memory_bytes": self._memory_bytes()}
        if self._place.rank == 0:
            tokens = step * self._config.global_batch * self._config.seq_len
            values |= {"loss": outcome.loss, "gradient_norm": outcome.gradient_norm}
            values |= {"tokens": tokens, "tokens_crc": outcome.tokens_crc}
            if step % self._config.log_every == 0 or outcome.stop:
                done = f"step {step}/{self._config.steps}"
                print(f"{done} loss {outcome.loss:.4f} norm {outcome.gradient_norm:.3f} {step_s:.3f} s", flush=True)  # noqa: T201
        self._events.write("step", step=step, **values)
        self._told_step = step

    def _save(self, step: int) -> None:
        start = time.perf_counter()
        self._tell(self._checkpoints.finished(wait=True))
        self._checkpoints.save(self._engine.state(), step)
        self._blocking_s = time.perf_counter() - start
        self._tell(self._checkpoints.finished())

    def _tell(self, written: Written | None) -> None:
        if written is None:
            return
        self._last_saved_s = time.monotonic()
        self._last_failed = written.failure is not None
        if self._place.rank != 0:
            return
        if written.failure:
            text = f"checkpoint of step {written.step} was not written: {written.failure}"
            print(text, file=sys.stderr, flush=True)  # noqa: T201
            self._events.write("error", step=written.step, text=text)
            return
        self._events.write(
            "checkpoint",
            step=written.step,
            blocking_s=self._blocking_s,
            write_s=written.write_s,
            bytes=written.bytes,
        )

    def _memory_bytes(self) -> int:
        if self._config.device == "cuda":
            return torch.cuda.max_memory_allocated()
        return peak_memory_bytes()


def identity(config: TrainerConfig, text: Text) -> Mapping[str, Any]:
    """What a checkpoint can only be gone on from with the same of: the model, and what its next tokens are."""
    return {
        "model": config.model.model_dump(mode="json", exclude=_BESIDE_THE_MODEL),
        "seq_len": config.seq_len,
        "global_batch": config.global_batch,
        "data": {"seed": text.seed, "bytes": len(text.tokens), "crc": text.crc},
    }
