"""What control groups leave of a host."""

import os

import pytest

from myriad.measure import machine


def _file(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A host of eight cores whose control groups are in files."""
    limits = machine._group_limits
    monkeypatch.setattr(machine, "_group_limits", lambda controller, name: limits(controller, name, tmp_path))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path


def test_without_control_groups_all_is_there(root):
    assert machine.usable_cores() == 8
    assert machine.host_memory_bytes() > 1e8


@pytest.mark.parametrize(("quota", "cores"), [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1)])
def test_a_quota_of_processor_time_limits_cores(root, quota, cores):
    _file(root / "proc/self/cgroup", "0::/pod/container")
    _file(root / "sys/fs/cgroup/pod/container/cpu.max", "max 100000")
    _file(root / "sys/fs/cgroup/pod/cpu.max", quota)
    assert machine.usable_cores() == cores


def test_within_a_container_the_outermost_group_is_its_own(root):
    _file(root / "proc/self/cgroup", "0::/kubepods/pod1/abc")
    _file(root / "sys/fs/cgroup/memory.max", "50000000")
    assert machine.host_memory_bytes() == 5e7


def test_groups_of_version_1(root):
    _file(root / "proc/self/cgroup", "4:memory:/job\n1:cpu,cpuacct:/job\n0::/")
    _file(root / "sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "300000")
    _file(root / "sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000")
    _file(root / "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1")
    _file(root / "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000")
    _file(root / "sys/fs/cgroup/memory/job/memory.limit_in_bytes", "60000000")
    assert machine.usable_cores() == 3
    assert machine.host_memory_bytes() == 6e7
