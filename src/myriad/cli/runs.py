"""`myriad runs`, `status`, `logs`, `cancel`, `supervise`: what became of jobs that were launched."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from pydantic import Field

from myriad.cli.options import JsonFile, LanguageCode, check_language, read_flag
from myriad.cli.output import STANDARD_OUTPUT, answer, check_outputs, json_text, say, show, write
from myriad.cli.run_options import Database, Run, exit_code, follow, on_interrupt, open_store, state_line
from myriad.errors import LaunchError, SpecError

if TYPE_CHECKING:
    from myriad.run.store import Store
    from myriad.spec.run import RunState

Port = Annotated[int, Field(ge=1, le=65535)]

RUNS_EXAMPLES: Final = """\b
Examples:
  myriad runs
  myriad runs --json -"""
STATUS_EXAMPLES: Final = """\b
Examples:
  myriad status pretrain-0001
  myriad status pretrain --watch
  myriad status pretrain-0001 --html run.html --json run.json"""
LOGS_EXAMPLES: Final = """\b
Examples:
  myriad logs pretrain-0001 --follow
  myriad logs pretrain --rank 3"""
CANCEL_EXAMPLES: Final = """\b
Example:
  myriad cancel pretrain-0001"""
SUPERVISE_EXAMPLES: Final = """\b
Examples:
  myriad supervise pretrain-0001 --detach
  myriad supervise runs/pretrain-0001 --metrics 9400"""


def runs(database: Database = None, json_file: JsonFile = None) -> None:
    """List the runs that were launched, newest first."""
    check_outputs({"--json": json_file})
    from myriad.run.readings import run_summaries

    with open_store(database) as store:
        found = run_summaries(store)
    if json_file is not None:
        write(json_file, json_text({"runs": [one.model_dump(mode="json") for one in found]}))
    if json_file == STANDARD_OUTPUT:
        return
    if not found:
        say(f"no run was launched yet, by the database {store.name}")
        return
    show(*(state_line(one) for one in found))


def status(
    run: Run,
    watch: Annotated[bool, typer.Option("--watch", help="Show what happens until the run ends.")] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page: promise beside reality, course, books, events.")
    ] = None,
    database: Database = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> int:
    """Show how a run stands against its promise, where its time went, and what happened to it last."""
    check_language(lang)
    check_outputs({"--html": html, "--json": json_file})
    for flag, path in (("--json", json_file), ("--html", html)):
        if watch and path is not None:
            raise SpecError(f"{flag}: --watch goes on; give one of them")
    from myriad import __version__
    from myriad.report.run_page import run_html
    from myriad.report.run_text import run_text
    from myriad.run.readings import run_of
    from myriad.run.report import report_of

    with open_store(database) as store:
        summary = run_of(store, run).summary
        if watch:
            return exit_code(follow(store, summary.run, lang))
        report = report_of(store, summary.run)
    if html is not None:
        write(html, run_html(report, lang, __version__))
    answer(report, json_file, run_text(report, lang))
    if html is not None:
        say(f"page: {html}")
    return 0


def event_line(time_s: float, text: str) -> str:
    """An event with its time of day."""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(time_s))}  {text}"


def logs(
    run: Run,
    rank: Annotated[str | None, typer.Option("--rank", metavar="RANK", help="What this rank wrote.")] = None,
    follow_: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written.")] = False,
    database: Database = None,
) -> None:
    """Print the output of a run: of all its submissions, or what one rank wrote."""
    from myriad.api.runs import NothingWrittenError, log_files
    from myriad.run.readings import run_of
    from myriad.spec.base import CountOrZero
    from myriad.spec.run import ENDED

    number = None if rank is None else read_flag("--rank", rank, CountOrZero)
    read: dict[Path, int] = {}
    with open_store(database) as store:
        name = run_of(store, run).summary.run
        while True:
            ended = run_of(store, name).summary.state in ENDED
            try:
                files = log_files(store, name, number)
            except NothingWrittenError:
                if not follow_ or ended:
                    raise
                files = ()
            for path in files:
                read[path] = _print_from(path, read.get(path, 0))
            if not follow_ or ended:
                return
            time.sleep(0.5)


def _print_from(path: Path, offset: int) -> int:
    """As the bytes that they are: a letter may come in two parts. Gives how far it is printed."""
    with path.open("rb") as file:
        file.seek(offset)
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return file.tell()


def cancel(run: Run, database: Database = None) -> int:
    """End a run with all its processes; what it saved stays."""
    from myriad.api.runs import cancel_run
    from myriad.run.readings import run_of
    from myriad.spec.run import ENDED

    with open_store(database) as store:
        name = run_of(store, run).summary.run
        with on_interrupt(f"{name} may go on: see `myriad status {name}`, and cancel it again"):
            state = cancel_run(store, name, tell=lambda text: say(event_line(time.time(), text)))
    over = state in ENDED  # perhaps by itself, before it could be cancelled
    say(f"{name}: {state}" if over else f"{name}: {state}; its supervisor was asked to cancel it, and has not yet")
    return 0 if over else 1


def supervise(
    run: Run,
    detach: Annotated[bool, typer.Option("--detach", help="Go on without this terminal.")] = False,
    metrics: Annotated[
        str | None, typer.Option(metavar="PORT", help="Serve metrics for Prometheus on this port.")
    ] = None,
    database: Database = None,
) -> int:
    """Take up a run whose supervisor is gone: follow it, start it again where it fails, until it ends."""
    from myriad.api.runs import detach as detached
    from myriad.api.runs import known_run, supervise_run
    from myriad.run.report import serve_run_metrics

    port = None if metrics is None else read_flag("--metrics", metrics, Port)
    with open_store(database, create=True) as store:
        name = known_run(store, run).summary.run
        if detach:
            more = () if port is None else ("--metrics", str(port))
            say(f"{name} is supervised by process {detached(store, name, more)}")
            return 0
        stop = None if port is None else serve_run_metrics(store.url, name, port)
        alone = f"{name} goes on without a supervisor; `myriad supervise {name}` takes it up again"
        try:
            with on_interrupt(f"{alone}, `myriad cancel {name}` ends it"):
                state = supervise_run(store, name, tell=lambda text: say(event_line(time.time(), text)))
        finally:
            if stop is not None:
                stop()
        say(f"{name}: {state}")
    return exit_code(state)


def started(store: Store, run: str, detached: bool) -> RunState:
    """Starts the supervisor of a run that was just entered, and follows it unless it shall go on alone."""
    from myriad.api.runs import detach
    from myriad.run.readings import run_of

    ways = f"`myriad supervise {run}` starts it, `myriad cancel {run}` ends it"
    try:
        with on_interrupt(f"{run} is entered, and may not have begun: {ways}"):
            detach(store, run)
    except LaunchError as error:
        raise LaunchError(f"{error}; {run} is entered: {ways}") from None
    if detached:
        say(f"see it with `myriad status {run}`, end it with `myriad cancel {run}`")
        return run_of(store, run).summary.state
    state = follow(store, run)
    say(f"{run}: {state}; see more with `myriad status {run}`")
    return state
