"""Rows of measured times survive their file."""

from myriad.measure.rows import Row, merged, read_rows, rows_csv

SIZES = (9, 1, 1, 1)


def test_rows_come_back_as_they_were_written():
    rows = [
        Row("gemm", "backward", 512, 256, 128, 1, 0.00125, 0.0012, 0.002),
        Row("copy", "forward", 9, 1, 1, 1, 3, 2, 4),
    ]
    assert read_rows(rows_csv(rows)) == rows


def test_a_slow_round_moves_the_spread_and_not_the_median():
    rounds = [
        [
            Row("copy", "forward", 9, 1, 1, 1, seconds, 0.9 * seconds, 1.1 * seconds),
            Row("add", "forward", *SIZES, s, s, s),
        ]
        for seconds, s in ((1.0, 4.0), (5.0, 6.0), (1.2, 5.0))
    ]
    copy, add = merged(rounds)
    assert (copy.operation, copy.seconds, copy.low_s, copy.high_s) == ("copy", 1.2, 0.9, 5.5)
    assert (add.operation, add.seconds, add.low_s, add.high_s) == ("add", 5.0, 4.0, 6.0)
