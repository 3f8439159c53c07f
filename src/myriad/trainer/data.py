"""Tokens: bytes of a text, cut into windows that every epoch reads in another order.

Nothing is remembered between steps: which windows a step trains on follows from the seed and the number of the step.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from myriad.errors import SpecError

BYTE_VALUES = 256
_ROUNDS = 4
_END_BYTES = 1 << 20


def shuffled(position: int, size: int, seed: int, epoch: int) -> int:
    """Which of `size` things comes at `position` in the order of this epoch: every one exactly once.

    A Feistel network over the next power of four, walked until it lands below `size` (Black and Rogaway, CT-RSA
    2002): a permutation of any size without a table, the same with every release of every library.
    """
    half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half_bits) - 1
    value = position
    while True:
        left, right = value >> half_bits, value & mask
        for number in range(_ROUNDS):
            key = f"{seed} {epoch} {number} {right}".encode()
            mixed = int.from_bytes(blake2b(key, digest_size=8).digest(), "little")
            left, right = right, left ^ (mixed & mask)
        value = left << half_bits | right
        if value < size:
            return value


def sequence_crc(sequence: npt.NDArray[np.int64]) -> int:
    """CRC-32 of the tokens of one sequence, the one to predict last included."""
    return zlib.crc32(sequence.astype("<u4").tobytes())


def step_crc(sequence_crcs: Iterable[int]) -> int:
    """CRC-32 of a step: over those of its sequences in their order, whichever ranks had them."""
    return zlib.crc32(np.fromiter(sequence_crcs, dtype="<u4").tobytes())


@dataclass(frozen=True)
class Text:
    """A text as sequences of `seq_len` tokens and the next one; windows share only that one."""

    tokens: npt.NDArray[np.uint8]
    seq_len: int
    seed: int

    @property
    def crc(self) -> int:
        """CRC-32 of its ends, which with its length tells it from others, wherever it lies."""
        first, last = self.tokens[:_END_BYTES].tobytes(), self.tokens[-_END_BYTES:].tobytes()
        return zlib.crc32(last, zlib.crc32(first))

    @property
    def num_windows(self) -> int:
        return (len(self.tokens) - 1) // self.seq_len

    def window(self, number: int) -> int:
        """Where the sequence of this number, counted from the start of the run, lies in the text."""
        epoch, position = divmod(number, self.num_windows)
        return shuffled(position, self.num_windows, self.seed, epoch)

    def sequences(self, first: int, count: int) -> npt.NDArray[np.int64]:
        """Sequences `first` and following of the run, (count, seq_len + 1)."""
        rows = np.empty((count, self.seq_len + 1), dtype=np.int64)
        for row, number in zip(rows, range(first, first + count), strict=True):
            start = self.window(number) * self.seq_len
            row[:] = self.tokens[start : start + self.seq_len + 1]
        return rows


def open_text(path: str | None, seq_len: int, seed: int) -> Text:
    """The text of a file, which is mapped, or the one that comes with the trainer.

    Raises SpecError for a file that cannot be read or holds less than one sequence.
    """
    try:
        if path is None:
            with as_file(files("myriad.trainer") / "text.txt") as shipped:
                tokens = np.fromfile(shipped, dtype=np.uint8)
        else:
            tokens = (
                np.memmap(Path(path), dtype=np.uint8, mode="r") if Path(path).stat().st_size else np.empty(0, np.uint8)
            )
    except OSError as error:
        raise SpecError(f"data.text: {path}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    if len(tokens) <= seq_len:
        raise SpecError(
            f"data.text: {path or 'the shipped text'} has {len(tokens)} bytes, a sequence takes {seq_len + 1}"
        )
    return Text(tokens, seq_len, seed)
