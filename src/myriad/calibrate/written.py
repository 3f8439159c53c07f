"""How calibrations are written: YAML with rounded figures under a line that says what wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from myriad.spec.base import Spec


def fit_text(fit: Spec, command: str, held_out: str) -> str:
    """The YAML text of a calibration file; `held_out` names the file with errors of runs left out."""
    head = (
        f"# Written by `{command} --write`; do not edit. Each factor multiplies the figures that it names, which were\n"
        "# assumed or derived; spread is how far it was allowed to move (standard deviation of its logarithm), and\n"
        f"# uncertainty what is left of that. {held_out} has the error of every run by fits that left it out.\n"
    )
    body = rounded(fit.model_dump(mode="json", by_alias=True))
    return head + yaml.safe_dump(body, sort_keys=False, default_flow_style=None, width=200)


def rounded(value: Any) -> Any:
    """The value with all of its numbers at four digits."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def counted(names: Sequence[str]) -> dict[str, int]:
    """Name -> how often it stands there, by name."""
    return {name: names.count(name) for name in sorted(set(names))}
