"""What ranks send each other: every collective on all of them, and on pairs of neighbours at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
import torch.distributed as dist

from myriad.measure.rows import Row
from myriad.measure.timing import Timer

ELEMENT_BYTES = 4
"""Messages are of fp32."""
MORE = 3
"""Times the repetitions of other work: messages wait for the threads of all ranks, and differ by factors."""


Group = tuple[int, dist.ProcessGroup]
"""How many ranks, and those of them that this one is among."""


def groups() -> list[Group]:
    """All ranks, and where there are more than two, pairs of neighbours at once; none where a rank is alone."""
    size, world = dist.get_world_size(), dist.group.WORLD
    pairs = [dist.new_group([first, first + 1]) for first in range(0, size, 2)] if size > 2 and size % 2 == 0 else []
    found: list[Group] = [(size, world)] if size > 1 and world is not None else []
    return found + ([(2, pairs[dist.get_rank() // 2])] if pairs else [])


def collective_rows(timer: Timer, of: list[Group], messages: tuple[tuple[int, ...], ...]) -> Iterator[Row]:
    """Every collective of every size in all groups.

    Sizes are rounded up to what divides among the ranks; rows have what was sent.
    """
    timer = replace(timer, effort=replace(timer.effort, repetitions=MORE * timer.effort.repetitions))
    for ranks, group in of:
        for (number,) in messages:
            share = math.ceil(number / ELEMENT_BYTES / ranks)
            whole = torch.ones(share * ranks, device=timer.device)
            part = torch.ones(share, device=timer.device)
            for name, call in _calls(whole, part, group, ranks).items():
                yield timer.row(name, call, (share * ranks * ELEMENT_BYTES, ranks, 1, 1))


def _calls(
    whole: torch.Tensor, part: torch.Tensor, group: dist.ProcessGroup, ranks: int
) -> dict[str, Callable[[], object]]:
    """Name of nccl-tests -> the call; sizes as there, see `estimate.nccl_tests`."""
    rank = dist.get_rank()
    other = torch.empty_like(whole)

    def send_and_receive() -> None:
        """Both at once: NCCL runs one after the other unless they are batched, and then every rank waits to send."""
        place = dist.get_group_rank(group, rank)
        to, source = ((dist.get_global_rank(group, (place + step) % ranks)) for step in (1, -1))
        both = [dist.P2POp(dist.isend, whole, to, group), dist.P2POp(dist.irecv, other, source, group)]
        for work in dist.batch_isend_irecv(both):
            work.wait()

    return {
        "all_reduce": lambda: dist.all_reduce(whole, group=group),
        "all_gather": lambda: dist.all_gather_into_tensor(whole, part, group=group),
        "reduce_scatter": lambda: dist.reduce_scatter_tensor(part, whole, group=group),
        "alltoall": lambda: dist.all_to_all_single(other, whole, group=group),
        "sendrecv": send_and_receive,
    }
