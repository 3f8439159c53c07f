"""Splits of layers over pipeline chunks: `7,8*14,7` is 7, fourteen times 8, and 7."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

MAX_CHUNKS = 10_000
_ENTRY = re.compile(r"(\d{1,6})(?:\*(\d{1,6}))?", re.ASCII)


def parse_split(value: object) -> tuple[int, ...]:
    """Layers per chunk, first to last, from text or a list of numbers and such texts.

    Raises ValueError with what is expected.

    >>> parse_split("3,2*4,0"), parse_split([7, "8*2", 7])
    ((3, 2, 2, 2, 2, 0), (7, 8, 8, 7))
    """
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)):
        raise ValueError(f"expected layers per chunk such as 7,8*14,7, found {value!r}")
    chunks: list[int] = []
    for entry in entries:
        found = _ENTRY.fullmatch(str(entry).replace(" ", "")) if isinstance(entry, (str, int)) else None
        if found is None or isinstance(entry, bool):
            raise ValueError(f"expected layers per chunk such as 7,8*14,7, found {entry!r}")
        repeats = int(found[2] or 1)
        if len(chunks) + repeats > MAX_CHUNKS:
            raise ValueError(f"at most {MAX_CHUNKS:,} chunks")
        chunks += [int(found[1])] * repeats
    return tuple(chunks)


def split_text(split: Sequence[int]) -> str:
    """The shortest form of a split, equal neighbours folded.

    >>> split_text((7, 8, 8, 8, 7)), split_text((3, 3, 2))
    ('7,8*3,7', '3*2,2')
    """
    runs = ((layers, len(list(run))) for layers, run in groupby(split))
    return ",".join(f"{layers}*{times}" if times > 1 else str(layers) for layers, times in runs)
