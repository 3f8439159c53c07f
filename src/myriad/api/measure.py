"""Measures this machine and says what it is, as catalog entries."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from myriad import catalog
from myriad.calibrate.machine import MeasuredMachine, fit_machine
from myriad.calibrate.machine_entries import BY, machine_entries
from myriad.errors import MissingDataError, SpecError
from myriad.measure.machine import Machine, usable_cores
from myriad.measure.rows import Row, read_rows
from myriad.spec.measured_machine import MeasuredSummary

LIMIT_S: Final = 1800.0
"""A measurement that takes longer hangs."""
PATIENCE_S: Final = 40.0
"""Ranks that are told to end may take longer than torchrun waits for them, 30 s."""
KINDS: Final[tuple[catalog.Kind, ...]] = ("accelerators", "nodes", "kernels")
"""What a measured machine is in the catalog."""


@dataclass(frozen=True)
class Measured:
    """A machine as it was measured, and the files that say so."""

    machine: Machine
    rows: tuple[Row, ...]
    found: MeasuredMachine
    files: dict[str, str]
    """Path within a catalog folder -> text."""
    summary: MeasuredSummary


def measure(
    name: str,
    *,
    device: Literal["cpu", "cuda"] = "cpu",
    ranks: int | None = None,
    threads: int = 1,
    precision: Literal["fp32", "bf16"] = "fp32",
    quick: bool = False,
    progress: Callable[[str], object] | None = None,
) -> Measured:
    """Measures `ranks` accelerators at once (default: one per core over `threads`, or every GPU) and fits them.

    Takes two to five minutes, with `quick` half a minute. Raises MissingDataError without PyTorch or SciPy, where
    there are fewer GPUs than ranks, or where ranks fail.
    """
    for module, extra in (("torch", "train"), ("scipy", "calibrate"), ("psutil", "calibrate")):
        if importlib.util.find_spec(module) is None:
            raise MissingDataError(f"measuring needs {module}: install myriad-ai[{extra}]")
    number = _accelerators(device, ranks, threads)
    busy_cores = _busy_cores()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
            str(number), "-m", "myriad.measure", "--to", folder, "--device", device, "--precision", precision,
            "--threads", str(threads), *(["--quick"] if quick else []),
        ]  # fmt: skip
        _run(command, {**os.environ, "OMP_NUM_THREADS": str(threads)}, Path(folder) / "log.txt", progress)
        text = (Path(folder) / "rows.csv").read_text()
        machine = Machine(**json.loads((Path(folder) / "machine.json").read_text()), busy_cores=busy_cores)
    rows = read_rows(text)
    found = fit_machine(rows, precision, machine.num_sms)
    files = machine_entries(name, found, machine, number, threads, device, precision)
    summary = MeasuredSummary(
        name=name, processor=machine.processor, ranks=number, threads=threads, precision=precision,
        peak_flops_per_s=found.peak_flops_per_s, memory_bytes_per_s=found.memory_bytes_per_s, launch_s=found.launch_s,
        link_bytes_per_s=found.link and found.link.bytes_per_s_one_way,
        median_errors={kind: fit.median_error for kind, fit in found.fits.items()},
        spread=machine.spread, busy_cores=busy_cores, num_rows=len(rows),
    )  # fmt: skip
    kept = {f"{name}.csv": text, f"{name}.json": json.dumps(asdict(machine), indent=2) + "\n"}
    files |= {f"measurements/machines/{file}": content for file, content in kept.items()}
    return Measured(machine, tuple(rows), found, files, summary)


def check_measured_name(name: str, folder: Path) -> None:
    """Raises SpecError where entries of this name, in the folder or in the catalog, are not of a measurement.

    Those of one may be replaced: that is measuring again. Any other would be lost, or hidden by the new one. A folder
    of MYRIAD_CATALOG that does not exist yet hides nothing.
    """
    for kind in KINDS:
        file = folder / kind / f"{name}.yaml"
        found = catalog.load(kind, file) if file.is_file() else _known(kind, name)
        if found is not None and not any(source.title.startswith(BY) for source in found.sources.values()):
            where = str(file) if file.is_file() else f"{kind} of the catalog"
            raise SpecError(f"--name: {name!r} is taken, by {where}: choose another, such as {name}-measured")


def _known(kind: catalog.Kind, name: str) -> catalog.Entry | None:
    try:
        return catalog.entry(kind, name)
    except SpecError:
        return None


def _busy_cores() -> float:
    """Of the host, now. Its load average would still hold what was measured a minute ago."""
    import psutil

    return float(psutil.cpu_percent(interval=1.0)) / 100 * (psutil.cpu_count() or 1)


def _accelerators(device: str, ranks: int | None, threads: int) -> int:
    if device == "cpu":
        return ranks or max(1, usable_cores() // threads)
    import torch

    number = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number < (ranks or 1):
        raise MissingDataError(f"--device cuda: PyTorch finds {number or 'no'} GPUs here, {ranks or 1} are needed")
    return ranks or number


def _run(command: list[str], environment: dict[str, str], log: Path, progress: Callable[[str], object] | None) -> None:
    """Runs the ranks, in a session of their own; every line that the first writes is progress.

    They are ended with whatever ends this: an interrupt, or `LIMIT_S`. Ranks whose caller was killed end by
    themselves, when they write their next line.
    """
    with log.open("w") as errors, subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
        start_new_session=True,
    ) as ranks:  # fmt: skip
        late = threading.Event()

        def end() -> None:
            late.set()
            _end(ranks)

        limit = threading.Timer(LIMIT_S, end)
        limit.start()
        assert ranks.stdout is not None
        try:
            for line in ranks.stdout:
                if progress is not None:
                    progress(line.strip())
            code = ranks.wait()
        finally:
            limit.cancel()
            _end(ranks)
    if late.is_set():
        raise MissingDataError(f"ranks were ended after {LIMIT_S / 60.0:.0f} minutes without a result")
    if code:
        raise MissingDataError(f"ranks ended with exit code {code}: {_reason(log.read_text())}")


def _reason(log: str) -> str:
    """Why ranks failed, by what they and torchrun wrote."""
    if re.search(r"exitcode\s*: -9\b", log):
        return "one was killed; is there enough memory?"
    return next((line.strip() for line in log.splitlines() if "Error" in line), "no message")


def _end(ranks: subprocess.Popen[str]) -> None:
    """Tells torchrun, which tells the ranks, and does not wait forever."""
    if ranks.poll() is None:
        ranks.terminate()
        try:
            ranks.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            ranks.kill()
