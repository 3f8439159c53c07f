"""Why a submission or a life ended: from its exit code, its log and what its ranks wrote last."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from myriad.run.described import Sighting
from myriad.spec.run import RankEvent

Starts = dict[int, tuple[int | None, str | None]]
"""Process id and host of each rank of a life."""
REFUSAL: Final = 2
"""Exit code of a trainer that will not do what it is asked, however often."""
MOST_BYTES: Final = 400_000
"""Read of the end of a log."""

# torchrun, of each rank that ended: `failed (exitcode: -9) local_rank: 2 (pid: 4711) of binary: ...` at once, and
# `rank : 2 (local_rank: 2)`, `exitcode : -9 (pid: 4711)` in its last summary, the first to fail under "Root Cause".
_AT_ONCE: Final = re.compile(r"failed \(exitcode: (-?\d+)\) local_rank: (\d+) \(pid: (\d+)\)")
_SUMMARY: Final = re.compile(
    r"rank\s*: (\d+) \(local_rank: \d+\)\s+(?:\[\d+\]:\s*)?exitcode\s*: (-?\d+) \(pid: (\d+)\)"
)
_ROOT: Final = "Root Cause"


@dataclass(frozen=True)
class Cause:
    """What ended the ranks."""

    text: str
    rank: int | None = None
    node: str | None = None
    exit_code: int | None = None
    """Of the rank, or of the submission where no rank is named."""

    @property
    def is_refusal(self) -> bool:
        return self.exit_code == REFUSAL


def exit_text(code: int) -> str:
    """An exit code in words.

    >>> exit_text(-9), exit_text(1)
    ('killed by SIGKILL', 'exit code 1')
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def log_end(log: Path) -> str:
    """The end of a log; empty if there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - MOST_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def cause_of(log: str, starts: Starts, errors: Iterable[RankEvent], seen: Sighting) -> Cause:
    """Why the ranks ended, as exactly as anything tells.

    `errors` is what ranks wrote before they ended, `seen` the scheduler's word. A node that failed explains everything
    on it; then comes the rank that torchrun names (a signal before an exit code: those that lose their peers fail with
    one), then the first error, then the exit code alone.
    """
    if seen.failed_nodes:
        return Cause(
            f"node failed: {', '.join(seen.failed_nodes)}", node=seen.failed_nodes[0], exit_code=seen.exit_code
        )
    said = {event.rank: event for event in sorted(errors, key=lambda event: -event.time_s)}
    if named := _named_in(log, starts):
        rank, code = named
        told = said.get(rank)
        more = f": {told.text}" if told is not None and told.text and code >= 0 else ""
        return Cause(f"rank {rank} {exit_text(code)}{more}", rank, starts.get(rank, (None, None))[1], code)
    if said:
        first = min(said.values(), key=lambda event: event.time_s)
        host = starts.get(first.rank, (None, None))[1]
        return Cause(f"rank {first.rank}: {first.text or 'error'}", first.rank, host, seen.exit_code)
    why = seen.reason or (exit_text(seen.exit_code) if seen.exit_code is not None else "ended, nobody says how")
    last = next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "")
    return Cause(f"{why}; last line: {last[:200]}" if last else why, exit_code=seen.exit_code)


def _named_in(log: str, starts: Starts) -> tuple[int, int] | None:
    """Rank and exit code of the rank that torchrun blames, of all that it names the likeliest to have been first.

    At once it names them by process, which says nothing where nodes number theirs alike, as containers do.
    """
    seen = Counter(pid for pid, _ in starts.values())
    ranks = {pid: rank for rank, (pid, _) in starts.items() if pid is not None and seen[pid] == 1}
    blamed = [(ranks[int(pid)], int(code)) for code, _local, pid in _AT_ONCE.findall(log) if int(pid) in ranks]
    _, root, summary = log.rpartition(_ROOT)
    if not blamed and root and (found := _SUMMARY.search(summary)):
        rank, code, pid = (int(one) for one in found.groups())
        blamed = [(rank, code)] if starts.get(rank, (pid, None))[0] in (pid, None) else []  # else of another life
    return min(blamed, key=lambda one: _lateness(one[1]), default=None)


def _lateness(code: int) -> int:
    """Ranks that lose their peers fail with an error, or abort: a signal from outside came before these."""
    if code in (-signal.SIGABRT, -signal.SIGTERM):
        return 2
    return 1 if code >= 0 else 0
