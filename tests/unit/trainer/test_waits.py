"""Two ranks, one of which is late."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RANK = """
import sys, time
import torch, torch.distributed as dist
from myriad.trainer.waits import WaitClock

rank = int(sys.argv[1])
dist.init_process_group("gloo", store=dist.FileStore(sys.argv[2], 2), rank=rank, world_size=2)
dist.all_reduce(torch.ones(1))
clock, told = WaitClock(), []
clock.watch(lambda: told.append(round(clock.waited_s, 1)), long_s=0.4)
time.sleep(3.0 if rank else 0.0)
dist.all_reduce(torch.ones(1))
print(len(told), clock.waited_s > 1.5)
"""


def test_whoever_waits_for_long_tells_so_once_and_whoever_is_waited_for_does_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RANK]
    ranks = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "store")], stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    assert [rank.communicate(timeout=120)[0] for rank in ranks] == ["1 True\n", "0 False\n"]
