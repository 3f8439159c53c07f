"""A job of the reference trainer over real ssh: a host dies in the middle, and a spare takes its place."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from myriad.run.health import unhealthy_nodes
from myriad.run.on_hosts import HostsBackend
from slurm_cluster import until
from small_runs import ended, events, last_step, run_folder, small_launch, submission
from ssh_hosts import ssh_hosts

STEPS = 12
PATIENCE_S = 300  # of a machine that is busy with other things
HOSTS = ("localhost", socket.gethostname(), "127.0.0.1")


def test_a_host_that_dies_is_left_out_of_the_next_submission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    launch = small_launch({"kind": "hosts", "hosts": HOSTS, "port": 29700}, steps=STEPS)
    folder = run_folder(tmp_path / "run", launch)
    backend = HostsBackend(29700)
    with ssh_hosts(HOSTS) as hosts:
        monkeypatch.setenv("PATH", hosts.path)
        handle = backend.submit(submission(folder))
        assert backend.find(submission(folder)) == handle
        until(lambda: len(events(folder, "checkpoint")) >= 1, PATIENCE_S, "a checkpoint")
        hosts.kill(HOSTS[1])
        last, _ = ended(backend, handle, PATIENCE_S)
        assert last.exit_code not in (0, None)

        handle = backend.submit(submission(folder, 1))
        last, _ = ended(backend, handle, PATIENCE_S)
        assert (last.exit_code, last.failed_nodes) == (0, ()), "a host that fails its check is told of in a file"
        assert list(unhealthy_nodes(folder.path)) == [(1, HOSTS[1])]
    starts = events(folder, "start")
    assert [life for life, _ in starts] == ["000.000", "001.000"]
    assert starts[1][1]["step"] > 0, "it went on from a checkpoint"
    assert last_step(folder) == STEPS
