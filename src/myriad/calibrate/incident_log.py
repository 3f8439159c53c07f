"""A cluster's own log of incidents: what broke, when, where, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np
import numpy.typing as npt

from myriad.calibrate.cause_names import cause_of
from myriad.calibrate.log_file import Cell, duration, read_columns, time_of
from myriad.errors import SpecError
from myriad.spec.reliability import Component
from myriad.units import DAY_S, parse_quantity

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_NUMBERS: Final = ("detection", "diagnosis", "downtime", "speed")


def _component(text: str) -> str:
    if text not in get_args(Component):
        raise ValueError(text)
    return text


def _share(text: str) -> float:
    share = parse_quantity(text, "fraction")
    if not 0.0 <= share <= 1.0:
        raise ValueError(text)
    return share


_LONG: Final = (duration, "a duration of at least 0, as 25 min or 1500 (seconds)")
COLUMNS: Final[dict[str, tuple[Cell, str]]] = {
    "time": (time_of, "a time, as 2026-11-03T04:05:06 or in seconds"),
    "cause": (str, "the name of a cause"),
    "node": (str, "the name of a node"),
    "component": (_component, "one of " + ", ".join(get_args(Component))),
    "downtime": _LONG,
    "detection": _LONG,
    "diagnosis": _LONG,
    "speed": (_share, "a share from 0 to 1, as 0.8 or 80 %"),
}


@dataclass(frozen=True)
class IncidentLog:
    """Incidents in the order of their times. All arrays have the same length."""

    time_s: FloatArray
    """From the start of the window."""
    cause: IntArray
    """Index into `causes`."""
    node: IntArray
    """Numbered as they come up; -1 where the log names none."""
    downtime_s: FloatArray
    """Until the node is back in service, NaN where the log does not say; 0 where it never left."""
    detection_s: FloatArray
    diagnosis_s: FloatArray
    speed: FloatArray
    """Of a job that it held back, NaN where the log does not say so."""
    causes: tuple[str, ...]
    components: tuple[Component, ...]
    """By cause."""
    nodes: tuple[str, ...]
    """What their numbers are called in the log."""
    names: dict[str, tuple[str, ...]]
    """By cause: what the log calls it."""
    uncommon: tuple[str, ...]
    """Causes that no common name led to."""
    window_s: float

    def __len__(self) -> int:
        return len(self.time_s)


def read_incidents(path: Path, num_nodes: int, days: float | None = None, start: str | None = None) -> IncidentLog:
    """The incidents of a CSV file within a window of so many days from `start`.

    Without a start the window begins at 0 where times are seconds, at the first incident where they are dates; without
    days it ends at the last one. Raises SpecError with file and line for what is wrong, for an incident outside of the
    window, and for more nodes than there are.
    """
    rows = list(read_columns(path, COLUMNS, ("time", "cause")))
    if not rows:
        raise SpecError(f"{path}: a header but no incidents")
    is_date = rows[0][1]["time"][1]
    for line, row in rows:
        if row["time"][1] != is_date:
            raise SpecError(f"{path}:{line}: time: a date and seconds in one log; write all in one way")
    rows.sort(key=lambda item: item[1]["time"][0])
    begin = _begin(rows[0][1]["time"][0], is_date, start)
    last = rows[-1][1]["time"][0]
    window_s = days * DAY_S if days is not None else last - begin
    for line, row in rows:
        if not begin <= row["time"][0] <= begin + window_s:
            raise SpecError(
                f"{path}:{line}: time: outside of the {window_s / DAY_S:g} days from the start of the window; "
                "give --start and --days that hold all incidents"
            )
    if window_s <= 0.0:
        raise SpecError(f"{path}: one moment has no rate: give --days")
    return _log(path, rows, begin, window_s, num_nodes)


def _begin(first_s: float, is_date: bool, start: str | None) -> float:
    if start is None:
        return first_s if is_date else 0.0
    try:
        begin, begins_with_date = time_of(start)
    except ValueError:
        raise SpecError(f"--start: expected {COLUMNS['time'][1]}, found {start!r}") from None
    if begins_with_date != is_date:
        raise SpecError(f"--start: the log has {'dates' if is_date else 'seconds'}, found {start!r}")
    return begin


def _log(
    path: Path, rows: list[tuple[int, dict[str, Any]]], begin: float, window_s: float, num_nodes: int
) -> IncidentLog:
    causes: dict[str, int] = {}
    components: list[Component] = []
    names: dict[str, dict[str, None]] = {}
    nodes: dict[str, int] = {}
    uncommon: dict[str, None] = {}
    cause_index, node_index = [], []
    for line, row in rows:
        cause, component, common = cause_of(row["cause"])
        if cause not in causes:
            causes[cause] = len(causes)
            components.append(component)
        if "component" in row:
            components[causes[cause]] = row["component"]
        elif not common:
            uncommon[cause] = None
        names.setdefault(cause, {})[row["cause"]] = None
        cause_index.append(causes[cause])
        node_index.append(nodes.setdefault(row["node"], len(nodes)) if "node" in row else -1)
        if len(nodes) > num_nodes:
            raise SpecError(f"{path}:{line}: node: {row['node']!r} is one more than all {num_nodes:,} nodes")
    columns = {name: np.array([row.get(name, np.nan) for _, row in rows], dtype=float) for name in _NUMBERS}
    return IncidentLog(
        time_s=np.array([row["time"][0] - begin for _, row in rows]),
        cause=np.array(cause_index, dtype=np.int64),
        node=np.array(node_index, dtype=np.int64),
        downtime_s=columns["downtime"],
        detection_s=columns["detection"],
        diagnosis_s=columns["diagnosis"],
        speed=columns["speed"],
        causes=tuple(causes),
        components=tuple(components),
        nodes=tuple(nodes),
        names={cause: tuple(found) for cause, found in names.items()},
        uncommon=tuple(uncommon),
        window_s=window_s,
    )
