"""How one operation is timed: all ranks start together and repeat it, and the middle repetition counts.

Everything is measured in rounds, one after the other, so that what slows a machine down for some seconds (neighbours on
the same host, clocks) meets one round of an operation and not all of its repetitions.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.distributed as dist

from myriad.measure.rows import Row


@dataclass(frozen=True)
class Effort:
    """How long is measured."""

    sample_s: float
    """Least time of one repetition, which holds as many calls as that takes."""
    repetitions: int
    """In one round."""
    rounds: int


FULL = Effort(sample_s=0.01, repetitions=3, rounds=3)
QUICK = Effort(sample_s=0.005, repetitions=3, rounds=1)


@dataclass(frozen=True)
class Timer:
    """Times calls on this rank while every other rank does the same."""

    device: str
    effort: Effort

    def row(
        self, operation: str, call: Callable[[], object], sizes: tuple[int, int, int, int], direction: str = "forward"
    ) -> Row:
        """One round of a call: in each repetition the mean over ranks, then the median, the least and the most."""
        call()  # allocates, and chooses kernels
        # The faster of two: an interruption must not leave short calls to be timed one at a time.
        once_s = min(self._together(self._seconds(call, 1), dist.ReduceOp.MAX) for _ in range(2))
        calls = max(1, math.ceil(self.effort.sample_s / max(once_s, 1e-7)))
        samples = [self._together(self._seconds(call, calls)) / calls for _ in range(self.effort.repetitions)]
        m, n, k, batch = sizes
        return Row(operation, direction, m, n, k, batch, statistics.median(samples), min(samples), max(samples))

    def _seconds(self, call: Callable[[], object], calls: int) -> float:
        dist.barrier()
        if self.device == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            for _ in range(calls):
                call()
            end.record()
            end.synchronize()
            return float(begin.elapsed_time(end)) * 1e-3
        began = time.perf_counter()
        for _ in range(calls):
            call()
        return time.perf_counter() - began

    def least(self, value: float) -> float:
        """Of all ranks."""
        return self._together(value, dist.ReduceOp.MIN)

    def _together(self, seconds: float, how: object = None) -> float:
        """Mean over all ranks, or as `how` says."""
        found = torch.tensor([seconds], dtype=torch.float64, device=self.device)
        dist.all_reduce(found, op=dist.ReduceOp.SUM if how is None else how)
        return float(found.item()) / (dist.get_world_size() if how is None else 1)
