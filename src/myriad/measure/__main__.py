"""What every rank runs: `torchrun -m myriad.measure --to FILE`; rank 0 writes the rows. Use `myriad measure`."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import torch
import torch.distributed as dist

from myriad.measure.collectives import collective_rows, groups
from myriad.measure.compute import compute_rows
from myriad.measure.machine import cpu_name, host_memory_bytes, usable_cores
from myriad.measure.rows import Row, merged, rows_csv
from myriad.measure.sizes import sizes
from myriad.measure.timing import FULL, QUICK, Timer
from myriad.processes import keep_freed_memory, leave

WAKE_S = 2.0


def main() -> None:
    """Measures on this rank together with all others."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    cuda = given.device == "cuda"
    torch.set_num_threads(given.threads)
    own = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else None
    if own is not None:
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if cuda else "gloo", device_id=own)
    effort = QUICK if given.quick else FULL
    timer = Timer(given.device, effort)
    dtype = torch.bfloat16 if given.precision == "bf16" else torch.float32
    free = torch.cuda.mem_get_info()[0] if cuda else host_memory_bytes() / dist.get_world_size()
    of = sizes(cuda, given.quick, timer.least(float(free)))
    if cuda:
        _wake(dtype)
    together = groups()
    rounds: list[list[Row]] = [[] for _ in range(effort.rounds)]
    for number, found in enumerate(rounds, start=1):
        for row in itertools.chain(compute_rows(timer, dtype, of), collective_rows(timer, together, of.messages)):
            found.append(row)
            if dist.get_rank() == 0:
                of_all = f"round {number} of {effort.rounds}"
                sys.stdout.write(f"{of_all}: {row.operation} {row.direction} {row.m} x {row.n} x {row.k}\n")
                sys.stdout.flush()
    rows = merged(rounds)
    if dist.get_rank() == 0:
        gpu = torch.cuda.get_device_properties() if cuda else None
        name, vendor = cpu_name() if gpu is None else (gpu.name, "AMD" if torch.version.hip else "NVIDIA")
        machine = {
            "processor": name, "vendor": vendor, "cores": usable_cores(),
            "memory_bytes": host_memory_bytes() if gpu is None else float(gpu.total_memory),
            "num_sms": gpu and gpu.multi_processor_count,
            "torch": torch.__version__, "date": datetime.now(UTC).date().isoformat(),
            "spread": statistics.median(row.high_s / row.low_s - 1.0 for row in rows),
        }  # fmt: skip
        given.to.mkdir(parents=True, exist_ok=True)
        (given.to / "machine.json").write_text(json.dumps(machine))
        (given.to / "rows.csv").write_text(rows_csv(rows))
    dist.barrier()
    dist.destroy_process_group()


def _wake(dtype: torch.dtype) -> None:
    """Keeps the GPU busy until its clocks have risen from those of idleness."""
    x = torch.randn(4096, 4096, dtype=dtype, device="cuda")
    until = time.monotonic() + WAKE_S
    while time.monotonic() < until:
        x @ x
        torch.cuda.synchronize()


if __name__ == "__main__":
    keep_freed_memory()
    main()
    leave(0)
