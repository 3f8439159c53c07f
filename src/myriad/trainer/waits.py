"""How long a rank waits for others, and that it waits for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import torch.distributed as dist
from torch.distributed import _functional_collectives as functional

LONG_S: Final = 60.0
"""A wait that is told of: longer than most, much shorter than anybody's patience with a rank that hangs."""


class WaitClock:
    """Counts the time that the thread that makes it spends waiting for collectives and messages, in seconds.

    FSDP, pipelines and plain collectives all wait in `Work.wait`, tensor parallelism in `wait_tensor`; both are
    timed. A gloo collective runs in a thread of its own and the caller waits for it, so that moving bytes counts as
    waiting, as does the peer that is late. On CUDA a wait only orders streams, and nothing is known.
    """

    def __init__(self) -> None:
        self.waited_s = 0.0
        self._since_s: float | None = None
        self._thread = threading.get_ident()
        dist.Work.wait = self._timed(dist.Work.wait)  # type: ignore[method-assign]
        functional.wait_tensor = self._timed(functional.wait_tensor)

    def _timed(self, wait: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            if threading.get_ident() != self._thread:
                return wait(*arguments, **options)
            self._since_s = start = time.perf_counter()
            try:
                return wait(*arguments, **options)
            finally:
                self._since_s = None
                self.waited_s += time.perf_counter() - start

        return timed

    def watch(self, tell: Callable[[], None], long_s: float = LONG_S) -> None:
        """Calls `tell` once in every wait that lasts for `long_s`, from a thread of its own."""

        def look() -> None:
            told_s = None
            while True:
                time.sleep(long_s / 4)
                since_s = self._since_s
                if since_s is None or since_s == told_s:
                    continue
                if time.perf_counter() - since_s >= long_s:
                    told_s = since_s
                    tell()

        threading.Thread(target=look, name="waits", daemon=True).start()
