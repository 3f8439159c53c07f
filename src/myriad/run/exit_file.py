"""How a job says itself how it ended, to whoever looks when its scheduler has forgotten it, or where there is none."""

from __future__ import annotations

from pathlib import Path

from myriad.run.described import RunFolder


def exit_file(folder: RunFolder, handle: str) -> Path:
    """Its script writes the exit code there as its last act, and removes the file as its first."""
    return folder.logs / f"exit-{handle}"


def exit_code_of(path: Path) -> int | None:
    """The code in such a file; `None` without one, or while it is being written."""
    try:
        text = path.read_text("utf-8").strip()
    except OSError:
        return None
    return int(text) if text.removeprefix("-").isdecimal() else None
