"""Whether nodes can run a job: this machine looked at before each start, others as their scripts note it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from myriad.run.readings import RunRecord
from myriad.units import format_bytes

LEAST_DISK_BYTES: Final = 2**30
LEAST_MEMORY_BYTES: Final = 2**29
LARGEST_CLOCK_ERROR_S: Final = 60.0
"""Between this machine and the one that keeps the folder of the run."""
NVIDIA_SMI_S: Final = 30.0


def problems_here(record: RunRecord, checkpoint_bytes: float = 0.0) -> tuple[str, ...]:
    """What keeps this machine from running the job, one text each; empty if nothing does.

    The folder can be written and has room for two more checkpoints, memory is left, the clock is that of whoever keeps
    the folder, ports can be opened, the accelerators are there if it trains on some.
    """
    folder = record.folder.path
    found = [_disk(folder, checkpoint_bytes), _memory(), _folder_and_clock(folder), _port()]
    if record.launch.device == "cuda" and shutil.which("nvidia-smi"):
        found.append(_accelerators(record.launch.gpus_per_node))
    return tuple(problem for problem in found if problem)


def unhealthy_nodes(folder: Path) -> dict[tuple[int, str], str]:
    """What is wrong with nodes, by submission and node, as scripts of schedulers note it in `unhealthy.txt`.

    A line is `SUBMISSION NODE WHY`; others are left out.
    """
    try:
        lines = (folder / "unhealthy.txt").read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    words = [line.split(maxsplit=2) for line in lines]
    return {(int(one[0]), one[1]): one[2] for one in words if len(one) == 3 and one[0].isdecimal()}


def _disk(folder: Path, checkpoint_bytes: float) -> str:
    need = max(LEAST_DISK_BYTES, 2.0 * checkpoint_bytes)
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"{folder}: {(error.strerror or str(error)).lower()}"
    return "" if free >= need else f"{folder}: {format_bytes(free)} are free, {format_bytes(need)} are needed"


def _memory() -> str:
    import psutil

    free = psutil.virtual_memory().available
    return "" if free >= LEAST_MEMORY_BYTES else f"{format_bytes(free)} of memory are left"


def _folder_and_clock(folder: Path) -> str:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as probe:
            probe.write(b"x")
            probe.flush()
            apart_s = abs(Path(probe.name).stat().st_mtime - time.time())
    except OSError as error:
        return f"{folder} cannot be written: {(error.strerror or str(error)).lower()}"
    if apart_s > LARGEST_CLOCK_ERROR_S:
        return f"the clock is {apart_s:.0f} s from that of the folder {folder}"
    return ""


def _port() -> str:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
    except OSError as error:
        return f"no port can be opened: {(error.strerror or str(error)).lower()}"
    return ""


def _accelerators(wanted: int) -> str:
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=NVIDIA_SMI_S, check=False)
    except subprocess.TimeoutExpired:
        return f"nvidia-smi did not answer within {NVIDIA_SMI_S:.0f} s"
    except OSError as error:
        return f"nvidia-smi: {(error.strerror or str(error)).lower()}"
    if done.returncode:
        return f"nvidia-smi ended with exit code {done.returncode}"
    there = sum(line.startswith("GPU ") for line in done.stdout.splitlines())
    return "" if there >= wanted else f"{there} GPUs are there, {wanted} are needed"
