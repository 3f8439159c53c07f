"""What rendering gives: files as text, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """A file to be written: where, from the folder of all, and what is in it."""

    path: str
    text: str
