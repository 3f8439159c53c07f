"""What `myriad measure` does around the ranks."""

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from myriad import catalog
from myriad.errors import MissingDataError, SpecError

measuring = importlib.import_module("myriad.api.measure")
SHIPPED = Path(str(catalog.__file__)).parents[1] / "data"
FOREVER = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def _alive(pid):
    return Path(f"/proc/{pid}").exists()


def test_ranks_that_hang_are_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "LIMIT_S", 1.0)
    with pytest.raises(MissingDataError, match="without a result"):
        measuring._run([sys.executable, "-c", FOREVER], {}, tmp_path / "log", None)


def test_an_interrupt_ends_the_ranks_first(tmp_path):
    lines = []

    def interrupted(line):
        lines.append(line)
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        measuring._run([sys.executable, "-c", FOREVER], {}, tmp_path / "log", interrupted)
    assert not _alive(int(lines[0]))
    assert time.monotonic() - began < 60


def test_what_ranks_died_of_is_told(tmp_path):
    with pytest.raises(MissingDataError, match="exit code 1: ValueError: no such thing"):
        measuring._run([sys.executable, "-c", "raise ValueError('no such thing')"], {}, tmp_path / "log", None)


def test_a_killed_rank_is_told_apart(tmp_path):
    """By torchrun itself."""
    pytest.importorskip("torch", reason="needs the extra `train`")
    script = tmp_path / "rank.py"
    script.write_text("import os; os.kill(os.getpid(), 9)")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1", str(script)]
    with pytest.raises(MissingDataError, match="exit code 1: one was killed; is there enough memory"):
        measuring._run(command, dict(os.environ), tmp_path / "log", None)


def test_an_entry_of_another_origin_keeps_its_name(tmp_path):
    with pytest.raises(SpecError, match="'h100' is taken, by accelerators of the catalog"):
        measuring.check_measured_name("h100", tmp_path)
    own = tmp_path / "nodes" / "mine.yaml"
    own.parent.mkdir()
    own.write_text((SHIPPED / "nodes" / "dgx-h100.yaml").read_text())
    with pytest.raises(SpecError, match=r"'mine' is taken, by .*mine\.yaml"):
        measuring.check_measured_name("mine", tmp_path)


def test_a_machine_may_be_measured_again(tmp_path, monkeypatch):
    monkeypatch.setenv(catalog.USER_CATALOG, str(tmp_path / "not there yet"))
    measuring.check_measured_name("xeon-cascade-lake-2r", tmp_path)
    measuring.check_measured_name("xeon-cascade-lake-2r", SHIPPED)
    measuring.check_measured_name("not-yet", tmp_path)


def test_more_ranks_than_gpus_are_refused_before_they_start(monkeypatch):
    cuda = pytest.importorskip("torch", reason="needs the extra `train`").cuda
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "device_count", lambda: 2)
    assert measuring._accelerators("cuda", None, 1) == 2
    with pytest.raises(MissingDataError, match="finds 2 GPUs here, 3 are needed"):
        measuring._accelerators("cuda", 3, 1)


def test_what_runs_beside_it_is_seen():
    command = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as beside:
        assert beside.stdout is not None
        beside.stdout.readline()
        found = measuring._busy_cores()
        beside.kill()
    assert 0.5 < found <= (os.cpu_count() or 1)
