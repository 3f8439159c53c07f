"""What this host says of itself."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """Where and with what was measured."""

    processor: str
    """Name of the CPU, or of the GPU where that was measured."""
    vendor: str
    cores: int
    memory_bytes: float
    """Of the host, or of one GPU."""
    torch: str
    date: str
    spread: float
    """How much longer the slowest repetition of a row took than its fastest, the median over rows."""
    num_sms: int | None = None
    """Streaming multiprocessors of a GPU."""
    busy_cores: float | None = None
    """Cores of the host that others kept busy, in the second before."""


def cpu_name() -> tuple[str, str]:
    """Name and maker of the CPU, as the system gives them."""
    fields: dict[str, str] = {}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    makers = {"GenuineIntel": "Intel", "AuthenticAMD": "AMD"}
    name = fields.get("model name") or platform.processor() or platform.machine()
    return name, makers.get(fields.get("vendor_id", ""), fields.get("vendor_id", "unknown"))


def host_memory_bytes() -> float:
    """Memory that this process may take: of the host, or what its control groups leave."""
    physical = float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
    limits = [*_group_limits("", "memory.max"), *_group_limits("memory", "memory.limit_in_bytes")]
    return min([physical, *(float(limit) for limit in limits if limit.isdigit())])


def usable_cores() -> int:
    """Cores that this process may run on, hyper-threads counted each, and no more than its control groups give time of.

    A share of a core is left out, unless there is nothing else.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = _group_limits("", "cpu.max")
    both = zip(_group_limits("cpu", "cpu.cfs_quota_us"), _group_limits("cpu", "cpu.cfs_period_us"), strict=False)
    for quota, period in [*(one.split() for one in quotas), *both]:
        if quota.isdigit():
            cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def _group_limits(controller: str, name: str, root: Path = Path("/")) -> list[str]:
    """What a file of the control groups of this process says, from its own group outwards.

    `controller` is empty for version 2. Inside a container the path of a group may be that of the host, which does
    not exist there; its outermost group is then the container's own.
    """
    member = root / "proc/self/cgroup"
    if not member.is_file():
        return []
    lines = (line.split(":", 2) for line in member.read_text().splitlines())
    paths = [path for _, controllers, path in lines if controller in controllers.split(",")]
    found = []
    for path in paths:
        top = root / "sys/fs/cgroup" / controller
        own = top / path.lstrip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(top) and (folder / name).is_file():
                found.append((folder / name).read_text().strip())
    return found
