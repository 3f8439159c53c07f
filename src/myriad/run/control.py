"""`control.json`: what a supervisor asks of a trainer that runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from myriad.spec.trainer import TrainerControl


def ask_trainer(control: Path, **asked: Any) -> None:
    """Changes some of what is asked, and keeps the rest; the file is replaced as a whole. Raises OSError."""
    try:
        before = TrainerControl.model_validate_json(control.read_bytes())
    except (FileNotFoundError, ValidationError):
        before = TrainerControl()
    beside = control.with_name(f".{control.name}.{os.getpid()}.part")
    try:
        beside.write_text(before.model_copy(update=asked).model_dump_json() + "\n", "utf-8")
        beside.replace(control)
    finally:
        beside.unlink(missing_ok=True)
