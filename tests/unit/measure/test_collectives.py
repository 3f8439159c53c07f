"""Messages between ranks, of any number of them."""

import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")

RANKS = 3
EACH_RANK = """
import torch.distributed as dist
from myriad.measure.collectives import collective_rows, groups
from myriad.measure.timing import Effort, Timer

dist.init_process_group("gloo")
timer = Timer("cpu", Effort(sample_s=1e-4, repetitions=1, rounds=1))
for row in collective_rows(timer, groups(), ((1 << 10,), (1 << 16,))):
    if dist.get_rank() == 0:
        print(row.operation, row.m, row.n, row.seconds > 0)
dist.destroy_process_group()
"""


def test_sizes_divide_among_ranks_that_are_no_power_of_two(tmp_path):
    script = tmp_path / "each_rank.py"
    script.write_text(EACH_RANK)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(RANKS)]
    done = subprocess.run([*command, str(script)], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [line.split() for line in done.stdout.splitlines()]
    assert sorted({operation for operation, *_ in rows}) == [
        "all_gather", "all_reduce", "alltoall", "reduce_scatter", "sendrecv",
    ]  # fmt: skip
    assert len(rows) == 10
    for _, sent, ranks, positive in rows:
        assert (int(sent) % (4 * RANKS), ranks, positive) == (0, str(RANKS), "True")
        assert 0 <= int(sent) - (1 << 10 if int(sent) < 1 << 16 else 1 << 16) < 4 * RANKS
