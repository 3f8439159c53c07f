"""Two pools in order with a long link between them, and what activations take to pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from myriad.estimate.collectives import send_recv_s
from myriad.estimate.layers import cells_of
from myriad.estimate.memory import block_input_bytes
from myriad.estimate.operations import Array
from myriad.estimate.rounds import transfer_s
from myriad.estimate.setting import Setting
from myriad.spec.cluster import Link
from myriad.spec.layout import IntArray, LayoutTable

LinkOf = Callable[[int], Link]
"""The long link as one of so many accelerators sees it that send at once."""


@dataclass(frozen=True)
class Crossing:
    """Two pools in order, and layouts that all have the same number of stages in each."""

    settings: tuple[Setting, Setting]
    stages: tuple[int, int]
    layouts: LayoutTable
    link_of: LinkOf

    @property
    def num_micro_batches(self) -> IntArray:
        return self.layouts.num_micro_batches(self.settings[0].work.global_batch)


@dataclass(frozen=True)
class Transfers:
    """One micro-batch's activations from stage to stage, arrays (C,)."""

    near_s: tuple[Array, Array]
    """Inside either pool."""
    near_wait_s: tuple[Array, Array]
    """What a stage waits for it, where the software does not overlap it."""
    link_s: Array
    """Over the long link, without the flight: all pipelines share it."""
    wait_s: tuple[Array, Array]
    flight_s: Array
    sent_bytes: Array


def transfers_of(crossing: Crossing) -> Transfers:
    """What activations take inside the pools and between them; gradients of them on the way back take the same."""
    layouts = crossing.layouts
    one_setting = crossing.settings[0]
    sent = block_input_bytes(one_setting.model, cells_of(layouts, one_setting.work))
    near, near_wait, wait = [], [], []
    link_s, flight_s = np.empty_like(sent), np.empty_like(sent)
    stretch = max(s.stack.stretch_of("pp") for s in crossing.settings)
    pipelines = layouts.tp * layouts.cp * layouts.dp
    for carriers in np.unique(pipelines):
        rows = pipelines == carriers
        link = crossing.link_of(int(carriers))
        flight_s[rows] = link.latency_s
        link_s[rows] = stretch * (send_recv_s(sent[rows], 1.0, (link,)) - link.latency_s)
    for setting, stages in zip(crossing.settings, crossing.stages, strict=True):
        one_s = transfer_s(setting, layouts, stages)
        near.append(one_s if stages > 1 else np.zeros_like(one_s))
        near_wait.append(near[-1] * (1 - setting.stack.pp_overlap))
        wait.append(link_s * (1 - setting.stack.pp_overlap))
    return Transfers((near[0], near[1]), (near_wait[0], near_wait[1]), link_s, (wait[0], wait[1]), flight_s, sent)
