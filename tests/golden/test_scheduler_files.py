"""What schedulers take for the flagship, compared with stored files, which `make golden` renews."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from myriad.launch.files import File
from myriad.launch.training.schedulers import scheduler_files
from scheduled import SCHEDULERS, flagship

STORED = Path(__file__).parent / "launch"
START = File("start.sh", "#!/bin/sh\n# what one node runs\n")


CASES = [(name, 0) for name in SCHEDULERS] + [("slurm", 25)]


@pytest.mark.parametrize(("name", "spares"), CASES)
def test_files_are_as_stored(name: str, spares: int) -> None:
    files = scheduler_files(flagship(SCHEDULERS[name], spare_nodes=spares), (START,))
    text = "".join(f"==> {file.path} <==\n{file.text}\n" for file in files)
    file = STORED / f"flagship-{name}{'-spares' if spares else ''}.txt"
    if "MYRIAD_RENEW_GOLDEN" in os.environ:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")
