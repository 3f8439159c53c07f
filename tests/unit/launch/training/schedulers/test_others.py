"""Over ssh, on Ray, on this machine: scripts run with a stand-in for the program that reaches the nodes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from myriad.errors import SpecError
from myriad.launch.training.schedulers import hosts, scheduler_files
from scheduled import flagship

SMALL: dict[str, Any] = {"layout": {"tp": 2, "dp": 3}, "gpus_per_node": 2, "nodes": 3, "device": "cpu"}
SSH = """\
#!/bin/bash
# Runs here what would run on a host, which tells its name.
while [[ $1 == -* ]]; do [[ $1 == -[ol] ]] && shift; shift; done
export HOST=$1
exec bash -c "$2"
"""


def run_on_hosts(tmp_path: Path, start: str, named: tuple[str, ...], health: str = "exit 0") -> tuple[int, str]:
    """Exit code and output of the rendered script, with `start.sh` and the check of nodes in its place."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(SSH)
    program.chmod(0o755)
    files = tmp_path / "run" / "files"
    files.mkdir(parents=True)
    script, _ = scheduler_files(flagship({"kind": "hosts", "hosts": named}, **SMALL))
    for name, text in ((script.path, script.text), ("start.sh", start), ("health.sh", health)):
        (files / name).write_text(text)
    done = subprocess.run(
        ["bash", str(files / "hosts.sh")], cwd=tmp_path / "run", stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=30, check=False, env=os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_every_host_starts_with_its_rank(tmp_path: Path) -> None:
    start = 'echo "$HOST: $NODE_RANK/$NNODES $MASTER_ADDR:$MASTER_PORT $MYRIAD_SUBMISSION $SLURM_RESTART_COUNT"\n'
    (tmp_path / "run" / "events" / "000.004").mkdir(parents=True)
    code, out = run_on_hosts(tmp_path, start, ("b", "a", "c", "spare"))
    assert code == 0
    lines = [f"{host}: {rank}/3 b:29500 0 5" for rank, host in enumerate("bac")]
    assert sorted(out.splitlines()) == sorted(lines)


def test_a_host_that_fails_ends_the_others(tmp_path: Path) -> None:
    code, _ = run_on_hosts(tmp_path, '[ "$NODE_RANK" = 1 ] && exit 7\nexec sleep 60\n', ("a", "b", "c"))
    assert code == 7


def test_a_spare_stands_in_for_a_host_that_fails_its_check(tmp_path: Path) -> None:
    health = '[ "$HOST" != a ] || { echo no card; exit 1; }\n'
    code, out = run_on_hosts(tmp_path, 'echo "$HOST $NODE_RANK"\n', ("a", "b", "c", "d"), health)
    assert code == 0
    assert sorted(line for line in out.splitlines() if "myriad" not in line) == ["b 0", "c 1", "d 2"]
    assert (tmp_path / "run" / "unhealthy.txt").read_text() == "0 a no card\n"


def test_an_excluded_host_is_not_even_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYRIAD_EXCLUDED_NODES", "a")
    code, out = run_on_hosts(tmp_path, 'echo "$HOST $NODE_RANK"\n', ("a", "b", "c", "d"), '[ "$HOST" != a ]\n')
    assert (code, sorted(out.split("\n"))) == (0, ["", "b 0", "c 1", "d 2"])


def test_a_check_that_says_nothing_is_noted_with_its_exit_code(tmp_path: Path) -> None:
    run_on_hosts(tmp_path, "exit 0\n", ("a", "b", "c", "d"), '[ "$HOST" != a ] || exit 9\n')
    assert (tmp_path / "run" / "unhealthy.txt").read_text() == "0 a exit code 9\n"


def test_a_check_that_hangs_costs_its_limit_and_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "CHECK_LIMIT_S", 2)
    code, _ = run_on_hosts(tmp_path, "exit 0\n", ("a", "b", "c", "d"), '[ "$HOST" != a ] || exec sleep 60\n')
    assert code == 0
    assert (tmp_path / "run" / "unhealthy.txt").read_text() == "0 a it gave no answer within 2 s\n"


def test_too_few_healthy_hosts_start_nothing(tmp_path: Path) -> None:
    code, out = run_on_hosts(tmp_path, "echo started\n", ("a", "b", "c"), '[ "$HOST" != a ] || exit 1\n')
    assert code == 75
    assert "only 2 hosts passed their check, 3 are needed" in out
    assert "started" not in out


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (("a", "b"), "scheduler.hosts: flagship-pretrain needs 3, found 2"),
        (("a", "b", "b"), "scheduler.hosts: give each once"),
        (("a", "b", "-oProxyCommand=x"), "'-oProxyCommand=x' is no name of a host"),
        (("a", "b", "c; reboot"), "'c; reboot' is no name of a host"),
    ],
)
def test_lists_of_hosts_that_cannot_be_are_refused(named: tuple[str, ...], said: str) -> None:
    with pytest.raises(SpecError, match=re.escape(said)):
        scheduler_files(flagship({"kind": "hosts", "hosts": named}, **SMALL))


def test_ray_is_asked_to_run_the_driver(tmp_path: Path) -> None:
    script, _ = scheduler_files(flagship({"kind": "ray", "address": "http://head:8265"}))
    program = tmp_path / "ray"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    files = tmp_path / "run" / "files"
    files.mkdir(parents=True)
    (files / script.path).write_text(script.text)
    (files / "launch.json").write_text("{}")
    done = subprocess.run(
        ["sh", "files/ray-job.sh"], cwd=tmp_path / "run", capture_output=True, text=True, timeout=20, check=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "MYRIAD_SUBMISSION": "3"},
    )  # fmt: skip
    assert (tmp_path / "run" / "launch.json").exists()
    words = done.stdout.splitlines()
    assert words[:5] == ["job", "submit", "--address", "http://head:8265", "--no-wait"]
    assert words[words.index("--submission-id") + 1] == "flagship-pretrain-003"
    variables = json.loads(words[words.index("--runtime-env-json") + 1])["env_vars"]
    assert variables == {"MYRIAD_RUN_FOLDER": str(tmp_path / "run"), "MYRIAD_SUBMISSION": "3"}
    assert words[words.index("--") + 1 :] == ["python3", str(tmp_path / "run" / "files" / "ray_driver.py")]


def test_an_address_that_is_no_job_server_is_refused() -> None:
    with pytest.raises(SpecError, match=r"scheduler.address: found '10.0.0.1:6379'"):
        scheduler_files(flagship({"kind": "ray", "address": "10.0.0.1:6379"}))


def test_one_machine_holds_one_node() -> None:
    with pytest.raises(SpecError, match=r"jobs.flagship-pretrain: local is one machine, and the job needs 800 nodes"):
        scheduler_files(flagship({"kind": "local"}))
    (health,) = scheduler_files(flagship({"kind": "local"}, layout={"dp": 4}, nodes=1, gpus_per_node=4))
    assert health.path == "health.sh"
