"""Options that all verbs about runs share, and how a run is shown while it goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from myriad.cli import completion
from myriad.cli.output import say
from myriad.spec.run import ENDED, RunState, RunSummary

if TYPE_CHECKING:
    from myriad.run.store import Store

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="Database of runs: SQLite file or a postgresql:// URL (default: $MYRIAD_DATABASE, else a file of yours)",
    ),
]
Run = Annotated[
    str, typer.Argument(metavar="RUN", help="Id of the run, its name, or its folder.", autocompletion=completion.runs)
]

LOOK_EVERY_S: Final = 0.5
DRAW_EVERY_S: Final = 1.0


def open_store(database: str | None, create: bool = False) -> Store:
    """The database of runs; one that is not there yet is made only where a run is entered."""
    from myriad.run.store import Store

    return Store(database, create=create)


def exit_code(state: RunState) -> int:
    """Of a verb that followed a run to its end: 0 for one that finished, 1 for one that failed or was cancelled."""
    return 1 if state in ("failed", "cancelled") else 0


def state_line(run: RunSummary) -> str:
    """How a run stands, in one line."""
    loss = "" if run.loss is None else f", loss {run.loss:.4f}"
    again = f", restarts {run.restarts}" if run.restarts else ""
    alone = "" if run.supervised or run.state in ENDED else ", not supervised"
    why = f": {run.reason}" if run.reason else ""
    return f"{run.run}: {run.state}{alone}, step {run.step:,} of {run.steps:,}{loss}{again}{why}"


def follow(store: Store, run: str, lang: str = "en") -> RunState:
    """Shows what happens to a run until it ends. An interrupt ends only this: the run goes on by itself.

    On a terminal its screen is drawn again and again; elsewhere there is a line for each event.
    """
    with on_interrupt(f"{run} goes on; see it with `myriad status {run}`, end it with `myriad cancel {run}`"):
        return _screen(store, run, lang) if sys.stderr.isatty() else _lines(store, run)


@contextmanager
def on_interrupt(text: str) -> Iterator[None]:
    """Says what becomes of a run when Ctrl-C ends the command."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"\n{text}")
        raise


def _screen(store: Store, run: str, lang: str) -> RunState:
    from rich.console import Console

    from myriad.report.run_live import watch
    from myriad.run.report import report_of

    console = Console(stderr=True, highlight=False)
    return watch(lambda: report_of(store, run), lambda: time.sleep(DRAW_EVERY_S), console, lang).summary.state


def _lines(store: Store, run: str) -> RunState:
    from myriad.run.notes import event_text
    from myriad.run.readings import events_of, run_of

    told = 0
    while True:
        summary = run_of(store, run).summary
        for event in events_of(store, run, told):
            told += 1
            say(event_text(event))
        if summary.state in ENDED:
            return summary.state
        time.sleep(LOOK_EVERY_S)
