"""Errors of a group of rows, and the reason why a row cannot be judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from myriad.spec.on_device import DeviceErrors
from myriad.spec.validation import GroupError


class SkipError(Exception):
    """The row cannot be judged; the text is the reason that is counted."""


def group_error(errors: Sequence[float]) -> GroupError:
    """Mean, median and 90th percentile of the absolute errors, and the mean signed one, of at least one row."""
    signed = np.asarray(errors)
    absolute = np.abs(signed)
    return GroupError(
        rows=len(errors),
        mean_abs_error=float(absolute.mean()),
        median_abs_error=float(np.median(absolute)),
        p90_abs_error=float(np.quantile(absolute, 0.9)),
        bias=float(signed.mean()),
    )


def device_errors(errors: Sequence[float]) -> DeviceErrors | None:
    """The same of speeds on devices, by the median; `None` of no row."""
    if not errors:
        return None
    absolute = np.abs(errors)
    return DeviceErrors(
        rows=len(errors),
        median=float(np.median(absolute)),
        mean=float(absolute.mean()),
        p90=float(np.quantile(absolute, 0.9)),
        within=float(np.exp(np.quantile(np.abs(np.log1p(errors)), 0.8))),
    )
