"""A run's own log of steps -> restarts, lost steps, blocking checkpoints, slow periods, realised ETTR."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from myriad.calibrate.durations import fit_duration
from myriad.calibrate.log_file import Cell, duration, read_columns, time_of
from myriad.errors import SpecError
from myriad.estimate.poisson import mean_interval
from myriad.spec.reliability_fit import Interval, SlowPeriod, StepLogFit, StepRestart

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

RESTART_STEPS: Final = 10.0
RESTART_S: Final = 60.0
"""A pause that is longer than so many steps and so many seconds is a restart, unless such pauses come regularly."""
LONG: Final = 0.02
"""A step that takes longer than the median by this share, and stands out of the jitter, may hold a checkpoint."""
SLOW: Final = 0.05
SLOW_STEPS: Final = 11
"""So many logged steps in a row that are slower by that share are a slow period; single ones are jitter."""
_JITTERS: Final = 6.0
"""Scaled median deviations from which a step stands out."""

COLUMNS: Final[dict[str, tuple[Cell, str]]] = {
    "time": (time_of, "the time of the step's end, as 2026-11-03T04:05:06 or in seconds"),
    "step": (int, "a whole number"),
    "seconds": (duration, "the duration of one step, as 12.5 (seconds)"),
}


@dataclass(frozen=True)
class StepLog:
    """Steps in the order in which they were run."""

    end_s: FloatArray
    step: IntArray
    seconds: FloatArray


def read_steps(path: Path) -> StepLog:
    """The steps of a CSV file; every n-th step may be logged. Raises SpecError with file and line for what is wrong."""
    ends: list[float] = []
    steps: list[int] = []
    seconds: list[float] = []
    is_date = None
    for line, row in read_columns(path, COLUMNS, tuple(COLUMNS)):
        end, dated = row["time"]
        if is_date not in (None, dated):
            raise SpecError(f"{path}:{line}: time: a date and seconds in one log; write all in one way")
        if ends and end < ends[-1]:
            raise SpecError(f"{path}:{line}: time: earlier than the line before; sort the steps by time")
        is_date = dated
        ends.append(end)
        steps.append(row["step"])
        seconds.append(row["seconds"])
    if len(ends) < SLOW_STEPS:
        raise SpecError(f"{path}: {len(ends)} steps are too few; at least {SLOW_STEPS} are needed")
    return StepLog(np.array(ends), np.array(steps, dtype=np.int64), np.array(seconds))


def fit_steps(log: StepLog) -> StepLogFit:
    """What a step log says.

    Each logged line covers the steps since the line before; what it took beyond their usual time is its excess. It is
    lost to a restart (the step number goes back, or a long pause), a checkpoint (excesses at regular distances), or
    a slow period (many slow steps in a row).
    """
    usual = float(np.median(log.seconds))
    stride = max(int(np.median(np.diff(log.step))), 1)
    moved = np.diff(log.step, prepend=log.step[0] - stride)
    back = moved <= 0
    covered = np.where(back, np.minimum(stride, np.maximum(log.step, 1)), moved)
    taken = np.diff(log.end_s, prepend=log.end_s[0] - stride * float(log.seconds[0]))
    excess = taken - covered * usual
    pause = taken - covered * log.seconds
    slow_periods, slow, level = _slow(log, usual)
    checkpoint, distance = _checkpoints(log, taken - covered * level, pause, back, usual)
    longest = max(RESTART_STEPS * usual, RESTART_S)
    if checkpoint.any():
        longest = max(longest, 10.0 * float(np.median(excess[checkpoint])))
        checkpoint &= excess <= longest
    restart = back | (~checkpoint & (pause > longest))
    slow &= ~(checkpoint | restart)
    return _result(log, usual, stride, excess, pause, checkpoint, distance, restart, slow, slow_periods)


def _result(
    log: StepLog,
    usual: float,
    stride: int,
    excess: FloatArray,
    pause: FloatArray,
    checkpoint: Flags,
    distance: float | None,
    restart: Flags,
    slow: Flags,
    slow_periods: tuple[SlowPeriod, ...],
) -> StepLogFit:
    begin = float(log.end_s[0]) - stride * float(log.seconds[0])
    wall = float(log.end_s[-1]) - begin
    lasting = int(log.step[-1] - log.step[0]) + stride
    at = np.flatnonzero(restart)
    restarts = tuple(
        StepRestart(
            time_s=float(log.end_s[index - 1]) - begin,
            step=int(log.step[index - 1]),
            lost_steps=int(max(log.step[index - 1] - log.step[index] + stride, 0)),
            down_s=max(float(pause[index]), 0.0),
        )
        for index in at
    )
    lost_steps = sum(one.lost_steps for one in restarts)
    blocking = float(np.median(excess[checkpoint])) if checkpoint.any() else None
    parts = {
        "productive_s": lasting * usual,
        "lost_work_s": lost_steps * usual,
        "down_s": sum(one.down_s for one in restarts),
        "checkpoint_s": float(excess[checkpoint].sum()),
        "slow_s": float(excess[slow].sum()),
    }
    return StepLogFit(
        steps=lasting,
        step_s=usual,
        wall_s=wall,
        ettr=parts["productive_s"] / wall,
        restarts=restarts,
        mean_time_to_interruption_s=_between(wall, len(restarts)),
        restart_s=fit_duration(np.array([one.down_s for one in restarts])),
        lost_steps=lost_steps,
        checkpoint_steps=distance,
        checkpoint_interval_s=None if distance is None else distance * usual,
        checkpoint_blocking_s=blocking,
        slow=slow_periods,
        **parts,
        other_s=wall - sum(parts.values()),
    )


def _between(wall: float, number: int) -> Interval | None:
    if not number:
        return None
    low, high = mean_interval(number)
    return Interval(value=wall / number, low=wall / high, high=wall / low)


def _checkpoints(
    log: StepLog, excess: FloatArray, pause: FloatArray, back: Flags, usual: float
) -> tuple[Flags, float | None]:
    """Lines that hold a blocking checkpoint, and the steps between two; none where long steps are not regular."""
    none = np.zeros(len(excess), dtype=bool)
    jitter = 1.4826 * float(np.median(np.abs(excess - np.median(excess))))
    long = ~back & (excess > max(_JITTERS * jitter, LONG * usual))
    long[0] = False
    if long.sum() < 3:
        return none, None
    # A pause between two steps follows the checkpointed step, a long step is that step.
    place = np.where(pause > 0.5 * excess, np.roll(log.step, 1), log.step)
    typical = float(np.median(excess[long]))
    alike = long & (excess > 0.4 * typical) & (excess < 2.5 * typical)
    index = np.flatnonzero(alike)
    run = np.cumsum(back)
    apart = np.diff(place[index])[np.diff(run[index]) == 0]
    if len(apart) < 2:
        return none, None
    distance = float(np.median(apart))
    regular = np.abs(apart - distance) <= max(1.0, 0.1 * distance)
    if distance < 2.0 or regular.mean() < 0.6:
        return none, None
    return alike, float(apart[regular].mean())


def _slow(log: StepLog, usual: float) -> tuple[tuple[SlowPeriod, ...], Flags, FloatArray]:
    """Stretches of slow steps, the lines in them, and what a step takes there and elsewhere.

    A step is slow if the median of the steps around it is: single long ones, such as checkpoints, are not.
    """
    jitter = 1.4826 * float(np.median(np.abs(log.seconds - usual)))
    padded = np.pad(log.seconds, SLOW_STEPS // 2, mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(padded, SLOW_STEPS), axis=1)
    is_slow = around > usual + max(SLOW * usual, _JITTERS / 2.0 * jitter)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_slow.astype(int), [0]))))
    begin = float(log.end_s[0] - log.seconds[0])
    flags = np.zeros(len(is_slow), dtype=bool)
    found = []
    for first, last in zip(edges[::2], edges[1::2] - 1, strict=True):
        if last - first + 1 >= SLOW_STEPS:
            flags[first : last + 1] = True
            found.append(
                SlowPeriod(
                    start_s=float(log.end_s[first] - log.seconds[first]) - begin,
                    end_s=float(log.end_s[last]) - begin,
                    speed=usual / float(np.median(log.seconds[first : last + 1])),
                )
            )
    return tuple(found), flags, np.where(flags, around, usual)
