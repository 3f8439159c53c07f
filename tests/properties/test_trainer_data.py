"""Tokens of the reference trainer: every window once an epoch, whoever reads them, whenever."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from myriad.trainer.data import Text, sequence_crc, shuffled, step_crc


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**40), epoch=st.integers(0, 50))
def test_an_epoch_is_a_permutation(size: int, seed: int, epoch: int) -> None:
    assert sorted(shuffled(position, size, seed, epoch) for position in range(size)) == list(range(size))


def text(num_bytes: int, seq_len: int, seed: int) -> Text:
    return Text(np.arange(num_bytes, dtype=np.uint64).view(np.uint8)[:num_bytes], seq_len, seed)


@given(num_bytes=st.integers(2, 400), seq_len=st.integers(1, 40), seed=st.integers(0, 9))
def test_no_token_is_trained_on_twice_within_an_epoch(num_bytes: int, seq_len: int, seed: int) -> None:
    if num_bytes <= seq_len:
        num_bytes = seq_len + 1
    found = text(num_bytes, seq_len, seed)
    starts = [found.window(number) * seq_len for number in range(found.num_windows)]
    places = [start + offset for start in starts for offset in range(seq_len)]
    assert len(places) == len(set(places)) == found.num_windows * seq_len
    assert max(places) + 1 < num_bytes  # the token after it exists


@given(
    ranks=st.sampled_from([1, 2, 3, 4, 6, 12]),
    step=st.integers(0, 40),
    seq_len=st.integers(1, 20),
    seed=st.integers(0, 9),
)
def test_tokens_of_a_step_do_not_depend_on_who_reads_them(ranks: int, step: int, seq_len: int, seed: int) -> None:
    whole, each = 12, 12 // ranks
    together = text(500, seq_len, seed).sequences(step * whole, whole)
    parts = [text(500, seq_len, seed).sequences(step * whole + rank * each, each) for rank in range(ranks)]
    assert np.array_equal(np.concatenate(parts), together)
    own = [sequence_crc(row) for part in parts for row in part]
    assert step_crc(own) == step_crc(map(sequence_crc, together))


@given(seed=st.integers(0, 9), seq_len=st.integers(1, 20))
def test_epochs_differ_in_order_only(seed: int, seq_len: int) -> None:
    found = text(2000, seq_len, seed)
    epochs = [[found.window(epoch * found.num_windows + i) for i in range(found.num_windows)] for epoch in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1])
    assert epochs[0] != epochs[1]
