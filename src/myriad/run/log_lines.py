"""Lines that frameworks print -> the events that our own trainer writes, so that their runs have steps and books too.

Read are, of Megatron-LM (core 0.13 and after):

    [2026-11-21 10:00:05] iteration        2/     100 | consumed samples: ... | elapsed time per iteration (ms): 812.4 |
    [Rank 0] (after 2 iterations) memory (MB) | allocated: 1.0 | max allocated: 2.0 | reserved: 3.0 | max reserved: 4.0
    successfully loaded checkpoint from /runs/x [ t 1/1, p 1/1 ] at iteration 100
    [before the start of training step] datetime: 2026-11-21 10:00:00
    scheduled an async checkpoint save at iteration     100 to /runs/x
    successfully saved checkpoint from iteration     100 to /runs/x [ t 1/1, p 1/1 ]
    save-checkpoint ................................: (1203.10, 1250.42)
    [after training is done] datetime: 2026-11-21 11:00:00

of Megatron-Bridge (0.3) the same but for two lines:

    [Rank 0] (after 2 iterations) memory (GB) | mem-allocated-gigabytes: 1.0 | mem-max-reserved-gigabytes: 4.0 | ...
    [after dataloaders are built] datetime: 2026-11-21 10:00:00

and of torchtitan (0.2):

    [titan] 2026-11-21 10:00:05,123 - root - INFO - step:  2  loss:  8.1  grad_norm:  1.2  memory:  1.50GiB(1.88%)
    ...  tps: 7,000  tflops: 3.10  mfu: 2.00%
    [titan] ... Training starts at step 101
    [titan] ... Finished saving the checkpoint (or staging if async is enabled)in 1.25 seconds.
    [titan] ... Finished loading the checkpoint in 2.10 seconds.
    [titan] ... Training completed

What they do not print is not known: of torchtitan a step's time follows from its tokens per second and accelerator, of
which all steps between two lines get the same; ranks other than the one that prints are silent, so that no slow rank
shows. How long a save stops training stands behind "successfully saved", or behind "scheduled" where it goes on in the
background: then it is written by the end of the step before "successfully saved", and of torchtitan nothing says when.
Times without a zone are those of this machine's zone. Colours are taken off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from myriad.spec.run import RankEvent
from myriad.spec.training_launch import TrainingFramework, TrainingLaunch

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_MEGATRON_STEP: Final = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\] iteration +(\d+)/ *\d+ \|(.*)")
_MEGATRON_MEMORY: Final = re.compile(
    r"\(after \d+ iterations\) memory \((MB|GB)\).*\bmax[ -]reserved(?:-gigabytes)?: *([\d.]+)"
)
_MEGATRON_LOADED: Final = re.compile(r"successfully loaded checkpoint from .* at iteration (\d+)")
_MEGATRON_SCHEDULED: Final = re.compile(r"scheduled an async checkpoint save at iteration +(\d+)")
_MEGATRON_SAVED: Final = re.compile(r"successfully saved checkpoint from iteration +(\d+)")
_MEGATRON_SAVE_MS: Final = re.compile(r"save-checkpoint \.*: \([\d.]+, ([\d.]+)\)")
_MEGATRON_AT: Final = re.compile(r"\[([a-z ]+)\] datetime: (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)")
_MEGATRON_DONE: Final = "after training is done"
_MEGATRON_READY: Final = {
    "megatron-lm": "before the start of training step", "megatron-bridge": "after dataloaders are built",
}  # fmt: skip
_TITAN: Final = re.compile(r"\[titan\] (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d+) - \S+ - \w+ - (.*)")
_TITAN_STEP: Final = re.compile(
    r"step: *(\d+) +loss: *([\d.einfa+-]+) .*memory: *([\d.]+)GiB\([\d.]+%\) +tps: ([\d,]+)"
)  # fmt: skip
_TITAN_SAVED: Final = re.compile(r"Finished saving the checkpoint .*in ([\d.]+) seconds")
_TITAN_LOADED: Final = re.compile(r"Finished loading the checkpoint in ([\d.]+) seconds")
_TITAN_BEGINS: Final = re.compile(r"Training starts at step (\d+)")
_UNIT_BYTES: Final = {"MB": 2**20, "GB": 10**9}
"""As Megatron-LM and Megatron-Bridge reckon them."""
_GIBIBYTE: Final = 2**30


class LogReader:
    """Events of one submission from its output, line by line; the number of the restart stands beside each.

    A line that was printed by several nodes counts once.
    """

    def __init__(
        self, framework: TrainingFramework, tokens_per_step: float, world_size: int, asynchronous: bool = False
    ) -> None:
        self.restart = 0
        self._line = self.titan if framework == "torchtitan" else self.megatron
        self._ready = _MEGATRON_READY.get(framework, "")
        self._tokens_per_step = tokens_per_step
        self._world_size = world_size
        self._asynchronous = asynchronous
        self._restored = 0
        self._read_s: float | None = None
        self._last_step = -1
        """Of this life; -1 before it begins."""
        self._last_s = 0.0
        self._memory_bytes: int | None = None
        self._saved_step: int | None = None
        """Saved, and nothing said yet how long that took."""
        self._scheduled_step: int | None = None
        self._scheduled: dict[int, tuple[float, float]] = {}
        """Of saves that are under way: when they began, and how long training stood still."""

    def read(self, line: str) -> Iterator[tuple[int, RankEvent]]:
        """What one line says: restart within the submission, and event."""
        for event in self._line(_COLOUR.sub("", line)):
            yield self.restart, event

    def megatron(self, line: str) -> Iterator[RankEvent]:
        """Of Megatron-LM and Megatron-Bridge."""
        if found := _MEGATRON_STEP.search(line):
            step, values = int(found[2]), _columns(found[3])
            elapsed_ms = values.get("elapsed time per iteration (ms)")
            if elapsed_ms is not None:
                yield from self._untimed_save()
                loss = values.get("lm loss")
                yield from self._step(step, _unix(found[1]), elapsed_ms / 1e3, loss, self._memory_bytes)
        elif found := _MEGATRON_MEMORY.search(line):
            self._memory_bytes = max(int(float(found[2]) * _UNIT_BYTES[found[1]]), self._memory_bytes or 0)
        elif found := _MEGATRON_LOADED.search(line):
            self._restored = int(found[1])
        elif found := _MEGATRON_AT.search(line):
            if found[1] == self._ready:
                yield from self._untimed_save()
                if self._last_step >= 0:  # only rank 0 says so: the ranks were started again
                    self.restart += 1
                yield from self._new_life(_unix(found[2]), self._restored)
            elif found[1] == _MEGATRON_DONE and self._last_step >= 0:
                yield from self._untimed_save()
                yield RankEvent(kind="finish", time_s=_unix(found[2]), rank=0, step=self._last_step)
        else:
            yield from self._megatron_save(line)

    def _megatron_save(self, line: str) -> Iterator[RankEvent]:
        if found := _MEGATRON_SCHEDULED.search(line):
            self._scheduled_step = int(found[1])
        elif found := _MEGATRON_SAVED.search(line):
            step = int(found[1])
            if step not in self._scheduled:
                self._saved_step = step
                return
            begin_s, blocking_s = self._scheduled.pop(step)
            write_s = max(self._last_s - begin_s, blocking_s) if self._last_s > begin_s else None
            yield self._checkpoint(step, max(self._last_s, begin_s + blocking_s), blocking_s, write_s)
        elif found := _MEGATRON_SAVE_MS.search(line):
            save_s = float(found[1]) / 1e3
            if self._scheduled_step is not None:
                self._scheduled[self._scheduled_step] = self._last_s, save_s
                self._scheduled_step = None
            elif self._saved_step is not None:
                yield self._checkpoint(self._saved_step, self._last_s + save_s, save_s, save_s)
                self._saved_step = None

    def _untimed_save(self) -> Iterator[RankEvent]:
        """A save of which nothing said how long it took, once something else is told."""
        if self._saved_step is not None:
            yield self._checkpoint(self._saved_step, self._last_s, None, None)
            self._saved_step = None

    def titan(self, line: str) -> Iterator[RankEvent]:
        """Of torchtitan."""
        if not (found := _TITAN.search(line)):
            return
        time_s, text = _unix(found[1]) + int(found[2]) / 1e3, found[3]
        if step := _TITAN_STEP.search(text):
            rate = float(step[4].replace(",", "")) * self._world_size
            step_s = self._tokens_per_step / rate if rate else 0.0
            memory = int(float(step[3]) * _GIBIBYTE)
            yield from self._step(int(step[1]), time_s, step_s, _number(step[2]), memory)
        elif begins := _TITAN_BEGINS.search(text):
            yield from self._begin(time_s, int(begins[1]) - 1)
        elif loaded := _TITAN_LOADED.search(text):
            self._read_s = float(loaded[1])
        elif saved := _TITAN_SAVED.search(text):
            save_s = float(saved[1])
            yield self._checkpoint(max(self._last_step, 0), time_s, save_s, None if self._asynchronous else save_s)
        elif "Training completed" in text and self._last_step >= 0:
            yield RankEvent(kind="finish", time_s=time_s, rank=0, step=self._last_step)

    def _begin(self, time_s: float, restored: int) -> Iterator[RankEvent]:
        """Ranks are ready for their first step; a new life where the one before has made steps."""
        if self._last_step == restored:
            return  # another node says the same
        if self._last_step >= 0:
            self.restart += 1
        yield from self._new_life(time_s, restored)

    def _new_life(self, time_s: float, restored: int) -> Iterator[RankEvent]:
        self._last_step, self._last_s = restored, time_s
        yield RankEvent(kind="start", time_s=time_s, rank=0, step=restored, read_s=self._read_s,
                        world_size=self._world_size)  # fmt: skip
        self._read_s, self._restored, self._memory_bytes = None, 0, None
        self._scheduled_step = None
        self._scheduled.clear()

    def _step(
        self, step: int, time_s: float, step_s: float, loss: float | None, memory: int | None
    ) -> Iterator[RankEvent]:  # fmt: skip
        if self._last_step < 0:
            yield from self._begin(time_s - step_s, step - 1)
        if step <= self._last_step:
            return  # another node says the same
        self._last_step, self._last_s = step, time_s
        yield RankEvent(kind="step", time_s=time_s, rank=0, step=step, step_s=step_s, loss=loss, memory_bytes=memory,
                        tokens=round(step * self._tokens_per_step))  # fmt: skip

    def _checkpoint(
        self, step: int, time_s: float, blocking_s: float | None, write_s: float | None
    ) -> RankEvent:  # fmt: skip
        return RankEvent(kind="checkpoint", time_s=time_s, rank=0, step=step, blocking_s=blocking_s, write_s=write_s)


def log_reader(launch: TrainingLaunch) -> LogReader | None:
    """The reader of a launched job's output; `None` where its software writes events or is not known to print steps."""
    software = (launch.launch.framework or launch.work.stack).partition("@")[0]
    known: dict[str, TrainingFramework] = {
        "megatron-lm": "megatron-lm", "megatron-core": "megatron-lm", "torchtitan": "torchtitan",
        "megatron-bridge": "megatron-bridge", "nemo": "megatron-bridge",
    }  # fmt: skip
    framework = known.get(software)
    if framework is None:
        return None
    return LogReader(
        framework, launch.promise.tokens_per_step, launch.world_size, asynchronous=launch.checkpoint_asynchronous
    )


def _columns(text: str) -> dict[str, float]:
    """`name: number` between bars."""
    found = {}
    for part in text.split("|"):
        name, colon, value = part.rpartition(":")
        number = _number(value) if colon else None
        if number is not None:
            found[name.strip()] = number
    return found


def _number(text: str) -> float | None:
    """`None` for what is no finite number: a loss may be nan, and events hold none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).astimezone().timestamp()
