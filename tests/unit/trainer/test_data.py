from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from myriad.errors import SpecError
from myriad.trainer.data import open_text, sequence_crc, shuffled, step_crc


def test_the_order_is_what_it_always_was() -> None:
    """A checkpoint goes on with the tokens of this order: it may never change."""
    assert [shuffled(i, 10, seed=7, epoch=0) for i in range(10)] == ORDER


ORDER = [9, 0, 6, 3, 2, 7, 4, 5, 1, 8]


def test_tokens_are_the_bytes_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(bytes(range(65)))
    text = open_text(str(file), 16, seed=0)
    assert text.num_windows == 4
    rows = text.sequences(0, 4)
    assert sorted(row[0] for row in rows) == [0, 16, 32, 48]
    assert all((np.diff(row) == 1).all() and len(row) == 17 for row in rows)


def test_the_shipped_text_is_enough_for_long_sequences() -> None:
    text = open_text(None, 1024, seed=0)
    assert 200 <= text.num_windows <= 500


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, "cannot be read: no such file"), (b"", "has 0 bytes, a sequence takes 17"), (b"x" * 16, "has 16 bytes")],
)
def test_a_text_that_will_not_do_is_refused(content: bytes | None, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "text"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SpecError, match=expected):
        open_text(str(file), 16, seed=0)


def test_sums_are_crc_32_of_little_endian_words() -> None:
    row = np.array([1, 2, 258], dtype=np.int64)
    own = zlib.crc32(b"\1\0\0\0\2\0\0\0\2\1\0\0")
    assert sequence_crc(row) == own
    assert step_crc([own]) == zlib.crc32(own.to_bytes(4, "little"))
