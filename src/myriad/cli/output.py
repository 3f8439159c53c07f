"""What commands print and write: text for people, JSON, whole files or none, a progress bar."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

from myriad.errors import SpecError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import ProgressColumn

    from myriad.spec.base import Spec

STANDARD_OUTPUT = Path("-")
PATIENCE_S = 1.0
"""A progress bar appears only where something takes longer."""

Progress = Callable[[int, int], None]


def show(*blocks: RenderableType) -> None:
    """Prints to standard output: 80 columns and no colour unless a terminal says otherwise."""
    console = _console()
    for block in blocks:
        console.print(block)


def say(text: str) -> None:
    """Prints a remark to standard error, beside the result."""
    print(text, file=sys.stderr)


def yaml_text(values: object) -> str:
    """Values as YAML, keys in their order."""
    import yaml

    return str(yaml.safe_dump(values, sort_keys=False, default_flow_style=None, allow_unicode=True))


def json_text(value: Any) -> str:
    """The value as JSON text with its last line ended. A number that is not finite is our own bug."""
    import json

    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def check_outputs(outputs: dict[str, Path | None], *inputs: Path) -> None:
    """Raises SpecError, before the work starts, for a file that could not be written or would overwrite another."""
    taken = {path.resolve(): f"the input {path}" for path in inputs}
    for flag, path in outputs.items():
        if path is None or (flag == "--json" and path == STANDARD_OUTPUT):
            continue
        target = path.resolve()
        if str(path) in ("", "."):
            raise SpecError(f"{flag}: expected a file name")
        if target in taken:
            raise SpecError(f"{flag}: {path} would overwrite {taken[target]}")
        taken[target] = f"the output of {flag}"
        if target.is_dir():
            raise SpecError(f"{flag}: {path} is a folder, expected a file name")
        if not target.parent.is_dir():
            raise SpecError(f"{flag}: {path}: there is no folder {str(target.parent)!r}")
        if not os.access(target if target.exists() else target.parent, os.W_OK):
            raise SpecError(f"{flag}: {path}: no permission to write there")


def check_folder(flag: str, folder: Path) -> None:
    """Raises SpecError, before the work starts, for a folder that could not be made or written into."""
    target = folder.resolve()
    if target.exists() and not target.is_dir():
        raise SpecError(f"{flag}: {folder} is a file, expected a folder")
    if not target.parent.is_dir():
        raise SpecError(f"{flag}: {folder}: there is no folder {str(target.parent)!r}")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise SpecError(f"{flag}: {folder}: no permission to write there")


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it. Raises SpecError with the system's reason."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(f"{folder}: cannot be made: {(error.strerror or str(error)).lower()}") from None


def write(path: Path, content: str | bytes) -> None:
    """Writes the file as a whole or not at all: beside its place first, then renamed. Text to `-` is printed.

    Devices and pipes are written in place. Raises SpecError with the system's reason.
    """
    if path == STANDARD_OUTPUT and isinstance(content, str):
        sys.stdout.write(content)
        return
    raw = content.encode() if isinstance(content, str) else content
    target = path.resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(raw)
            return
        beside = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            beside.write_bytes(raw)
            if target.exists():
                beside.chmod(target.stat().st_mode)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SpecError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from None


def answer(result: Spec, json_file: Path | None, *blocks: RenderableType) -> None:
    """Writes a result as JSON where a file is named, and shows it to people, unless the JSON takes standard output."""
    if json_file is not None:
        write(json_file, json_text(result.model_dump(mode="json")))
    if json_file != STANDARD_OUTPUT:
        show(*blocks)


@contextmanager
def progress(label: str, rate: str | None = None) -> Iterator[Callable[[str], Progress]]:
    """Gives a function that starts a step and gives that step's own progress: done, of how many.

    The bar is drawn on standard error, on a terminal, after `PATIENCE_S`; elsewhere nothing is. `rate` names what
    is done per second, and adds that figure and the time left.
    """
    if not sys.stderr.isatty():
        yield lambda _: _no_bar
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns: list[ProgressColumn] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    columns += [TimeElapsedColumn()] if rate is None else _rate_columns(rate)
    bar = Bar(*columns, console=Console(stderr=True, highlight=False), transient=True)
    task = bar.add_task(label, total=None)

    def step(name: str) -> Progress:
        bar.update(task, description=name, completed=0, total=None)
        return lambda done, total: bar.update(task, completed=done, total=total)

    timer = Timer(PATIENCE_S, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield step
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


def _rate_columns(unit: str) -> list[ProgressColumn]:
    from rich.progress import ProgressColumn, Task, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """What is done per second."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.2g} {unit}")

    return [Rate(), TimeRemainingColumn(compact=True)]


def _no_bar(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)
