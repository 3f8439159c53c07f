"""Slurm's short form of many names."""

from __future__ import annotations

import itertools
import re
from typing import Final

_GROUP: Final = re.compile(r"\[([^\]]*)\]")


def expand(short: str) -> tuple[str, ...]:
    """All names of a host list, in its order.

    >>> expand("n[0-2,07],login")
    ('n0', 'n1', 'n2', 'n07', 'login')
    >>> expand("rack[1-2]n[08-09]")
    ('rack1n08', 'rack1n09', 'rack2n08', 'rack2n09')
    >>> expand("(null)")
    ()
    """
    if short in {"", "(null)", "None", "None assigned", "n/a", "N/A"}:
        return ()
    return tuple(itertools.chain.from_iterable(_names(part) for part in _parts(short)))


def _parts(short: str) -> list[str]:
    """Split at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for letter in short:
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _names(part: str) -> list[str]:
    texts = _GROUP.split(part)  # text, inside of brackets, text, ...
    choices = [_numbers(text) if i % 2 else [text] for i, text in enumerate(texts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def _numbers(inside: str) -> list[str]:
    numbers: list[str] = []
    for part in inside.split(","):
        first, dash, last = part.partition("-")
        if dash:
            numbers += [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
        else:
            numbers.append(part)
    return numbers
