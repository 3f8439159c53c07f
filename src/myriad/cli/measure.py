"""`myriad measure`: this host's accelerators and links, benchmarked, as a catalog folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Final

import typer

from myriad.cli.options import JsonFile, read_flag
from myriad.cli.output import STANDARD_OUTPUT, check_folder, check_outputs, json_text, make_folder, progress, say, write
from myriad.errors import SpecError, unknown_name

EXAMPLES: Final = """\b
Examples:
  myriad measure --to my-catalog
  myriad measure --ranks 2 --threads 4 --name workstation --to my-catalog
  myriad measure --device cuda --precision bf16 --to my-catalog
  MYRIAD_CATALOG=my-catalog myriad catalog show workstation"""

DEVICES: Final = ("cpu", "cuda")
PRECISIONS: Final = ("fp32", "bf16")
FOLDERS: Final = ("accelerators", "nodes", "kernels", "measurements/machines")
BUSY: Final = 0.2
"""Share of the cores of a host that others took, from which a measurement is to be looked at twice."""


def measure(
    to: Annotated[Path | None, typer.Option("--to", metavar="FOLDER", help="Catalog folder to write into.")] = None,
    device: Annotated[str, typer.Option(metavar="NAME", help="cpu or cuda.")] = "cpu",
    ranks: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Ranks measured at once (default: all cores, or all GPUs).")
    ] = None,
    threads: Annotated[str, typer.Option(metavar="COUNT", help="Threads of one rank on a CPU.")] = "1",
    precision: Annotated[str, typer.Option(metavar="NAME", help="fp32 or bf16.")] = "fp32",
    name: Annotated[str, typer.Option(metavar="NAME", help="Id of the entries.")] = "this-machine",
    quick: Annotated[bool, typer.Option("--quick", help="Fewer sizes, and one round.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Measure this machine: products, attention, memory, collectives, as catalog entries."""
    if to is None:
        raise SpecError("--to: missing; expected a catalog folder to write into")
    if device not in DEVICES:
        raise SpecError(f"--device: {unknown_name('device', device, DEVICES)}")
    if precision not in PRECISIONS:
        raise SpecError(f"--precision: {unknown_name('precision', precision, PRECISIONS)}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name):
        raise SpecError(f"--name: expected lower-case letters, digits, dots and dashes, found {name!r}")
    _check_folders(to)
    check_outputs({"--json": json_file})
    if json_file is not None and json_file.resolve() == to.resolve():
        raise SpecError(f"--json: {json_file} is the folder of --to, expected a file name")
    from myriad import api
    from myriad.spec.base import Count

    api.check_measured_name(name, to)
    number = None if ranks is None else read_flag("--ranks", ranks, Count)
    each = read_flag("--threads", threads, Count)
    with progress("starting ranks") as step:
        measured = api.measure(
            name, device="cuda" if device == "cuda" else "cpu", ranks=number, threads=each,
            precision="bf16" if precision == "bf16" else "fp32", quick=quick, progress=step,
        )  # fmt: skip
    for path, text in measured.files.items():
        made = "replaced" if (to / path).exists() else "wrote"
        make_folder((to / path).parent)
        write(to / path, text)
        say(f"{made} {to / path}")
    if json_file is not None:
        write(json_file, json_text(measured.summary.model_dump(mode="json")))
    if json_file != STANDARD_OUTPUT:
        one = measured.summary
        link = "" if one.link_bytes_per_s is None else f", links {one.link_bytes_per_s / 1e9:.3g} GB/s"
        print(
            f"{one.name}: {one.processor}, {one.ranks} at once: {one.peak_flops_per_s / 1e9:.3g} GFLOP/s in "
            f"{one.precision}, memory {one.memory_bytes_per_s / 1e9:.3g} GB/s{link} each; kernels from "
            f"{one.launch_s * 1e6:.3g} us"
        )
        errors = ", ".join(f"{name} {error:.1%}" for name, error in one.median_errors.items())
        print(f"{one.num_rows} rows, repetitions spread by {one.spread:.0%}; median error of the fits: {errors}")
    cores = os.cpu_count() or 1
    if (busy := measured.summary.busy_cores) > BUSY * cores:
        say(f"others kept {busy:.1f} of the host's {cores} cores busy before; that was measured too")


def _check_folders(to: Path) -> None:
    """Raises SpecError, before minutes are spent, where a folder for entries cannot be written to or made."""
    check_folder("--to", to)
    for folder in (to / kind for kind in FOLDERS):
        check_folder("--to", next(path for path in (folder, *folder.resolve().parents) if path.exists()))
