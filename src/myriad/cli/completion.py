"""Names offered by the shell: the catalog's file names, without opening a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

_DATA = Path(__file__).parents[1] / "data"


def _ids(kind: str) -> list[str]:
    own = os.environ.get("MYRIAD_CATALOG")
    folders = [_DATA, *(Path(one) for one in (own or "").split(os.pathsep) if one)]
    return sorted({file.stem for folder in folders for file in (folder / kind).glob("*.yaml")})


def models(incomplete: str) -> list[str]:
    """Models that begin so."""
    return [name for name in _ids("models") if name.startswith(incomplete.lower())]


def clusters(incomplete: str) -> list[str]:
    """Accelerators and nodes that begin so, ready for a count."""
    names = _ids("accelerators") + _ids("nodes")
    return [f"{name}:" for name in names if name.startswith(incomplete.lower())]


def devices(incomplete: str) -> list[str]:
    """Chips that begin so."""
    return [name for name in _ids("accelerators") if name.startswith(incomplete.lower())]


def stacks(incomplete: str) -> list[str]:
    """Training software that begins so."""
    return [name for name in _ids("stacks") if name.startswith(incomplete.lower())]


def engines(incomplete: str) -> list[str]:
    """Serving engines that begin so."""
    return [name for name in _ids("engines") if name.startswith(incomplete.lower())]


def fabrics(incomplete: str) -> list[str]:
    """Fabrics that begin so; of several separated by commas, the last."""
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in _ids("fabrics") if name.startswith(last.lower())]


def mixes(incomplete: str) -> list[str]:
    """Mixes of jobs that begin so."""
    return [name for name in _ids("mixes") if name.startswith(incomplete.lower())]


def reliabilities(incomplete: str) -> list[str]:
    """Profiles of what breaks that begin so."""
    return [name for name in _ids("reliability") if name.startswith(incomplete.lower())]


def rows(incomplete: str) -> list[str]:
    """Shipped measured runs that begin so."""
    files = sorted((_DATA / "measurements" / "training").glob("*.csv"))
    lines = (line for file in files for line in file.read_text("utf-8").splitlines()[1:])
    return [name for name in (line.partition(",")[0] for line in lines) if name.startswith(incomplete.lower())]


def runs(ctx: Any, incomplete: str) -> list[str]:
    """Ids and names of runs that begin so; none where the database cannot be read."""
    from myriad.errors import MyriadError

    try:
        from myriad.run.readings import run_summaries
        from myriad.run.store import Store

        with Store(ctx.params.get("database"), create=False, busy_s=0.5) as store:
            found = run_summaries(store)
    except MyriadError:
        return []
    names = dict.fromkeys([*(run.run for run in found), *(run.name for run in found)])
    return [name for name in names if name.startswith(incomplete)]


def jobs(ctx: Any, incomplete: str) -> list[str]:
    """Training jobs of the file that is named; none where it cannot be read."""
    from myriad.api.training_launch import job_names
    from myriad.errors import MyriadError

    file = ctx.params.get("file") or next(iter(ctx.args), None)  # unread while its option still lacks a value
    try:
        return [] if file is None else [name for name in job_names(Path(file)) if name.startswith(incomplete)]
    except MyriadError:
        return []


def schedulers(incomplete: str) -> list[str]:
    """Schedulers that begin so."""
    from myriad.spec.training_launch import SCHEDULERS

    return [name for name in SCHEDULERS if name.startswith(incomplete)]


def frameworks(incomplete: str) -> list[str]:
    """Training software that jobs are started with, which begins so."""
    from myriad.spec.training_launch import TrainingFramework

    return [name for name in get_args(TrainingFramework) if name.startswith(incomplete)]


def kinds(incomplete: str) -> list[str]:
    """Kinds of catalog entries that begin so."""
    folders = (file.name for file in _DATA.iterdir() if file.is_dir() and file.name != "measurements")
    return sorted(name for name in folders if name.startswith(incomplete))


def entries(incomplete: str) -> list[str]:
    """Kinds and entries that begin so."""
    found = [*kinds(""), *(name for kind in kinds("") for name in _ids(kind))]
    return [name for name in found if name.startswith(incomplete.lower())]
