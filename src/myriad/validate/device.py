"""Judges on-device estimates by published rows: error by row and by group, and how far equal rows lie apart."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import combinations

from myriad.errors import MissingDataError
from myriad.estimate.on_device import decode_tokens_per_s, prefill_s, rates
from myriad.spec.on_device import DEVICE_GROUPS, DeviceFit, DeviceGroup, DeviceRowResult, DeviceValidation
from myriad.validate.device_cases import Case, judged_cases, prefilled_tokens, runtime_of, shape
from myriad.validate.device_rows import DeviceRow
from myriad.validate.errors import device_errors

Speeds = dict[str, float | None]


def judge(case: Case, fit: DeviceFit) -> DeviceRowResult:
    """The estimate of one row beside its measurement. Raises MissingDataError for a chip that lacks a figure."""
    runtime, own = runtime_of(case, fit.runtimes)
    if runtime is None:
        raise MissingDataError(f"no runtime was fitted on a {case.unit}")
    row, work = case.row, case.work(runtime)
    found = rates(case.accelerator, case.accelerator_id, runtime, case.quantisation_id, case.method)
    if row.accepted_tokens is not None:
        found = dataclasses.replace(found, accepted=row.accepted_tokens)
    predicted: Speeds = {
        "decode": float(decode_tokens_per_s(work, found)) if case.decode else None,
        "prefill": float(prefilled_tokens(case, runtime) / prefill_s(work, found)) if case.prefill else None,
    }
    measured: Speeds = {"decode": case.decode, "prefill": case.prefill}
    return DeviceRowResult(
        id=row.id,
        source=row.source,
        device=row.device,
        accelerator=case.accelerator_id,
        device_class=row.device_class or case.accelerator.accelerator_class,
        model=case.model_id,
        quantisation=case.quantisation_id,
        runtime=case.runtime_name,
        unit=case.unit,
        measured=measured,
        predicted=predicted,
        errors={kind: _error(predicted[kind], measured[kind]) for kind in measured},
        measured_from=case.measured_from,
        calibrated=own and case.accelerator_id in runtime.accelerators,
    )


def _error(predicted: float | None, measured: float | None) -> float | None:
    return predicted / measured - 1.0 if predicted is not None and measured else None


def _group(results: Iterable[DeviceRowResult]) -> DeviceGroup:
    table = list(results)

    def of(kind: str) -> list[float]:
        return [error for one in table if (error := one.errors[kind]) is not None]

    return DeviceGroup(decode=device_errors(of("decode")), prefill=device_errors(of("prefill")))


_OF: dict[str, Callable[[DeviceRowResult], str]] = {
    "runtime and unit": lambda one: f"{one.runtime or 'not stated'} {one.unit}",
    "accelerator": lambda one: one.accelerator,
    "device class": lambda one: one.device_class,
    "quantisation": lambda one: one.quantisation,
    "model": lambda one: one.model,
    "source": lambda one: one.source,
}


def _apart(cases: Iterable[Case], key: Callable[[Case], Hashable], units: int) -> DeviceGroup:
    """How far rows with the same key lie apart: larger / smaller - 1 of every pair of so many units."""
    same = defaultdict(list)
    for case in cases:
        same[key(case)].append(case)
    off: dict[str, list[float]] = {"decode": [], "prefill": []}
    for group in same.values():
        for one, other in combinations(group, 2):
            # Figures that are equal to the last digit were copied from one device to another, not measured twice.
            if len({one.unit, other.unit}) != units or one.decode == other.decode:
                continue
            for kind, (a, b) in {"decode": (one.decode, other.decode), "prefill": (one.prefill, other.prefill)}.items():
                if a and b:
                    off[kind].append(max(a, b) / min(a, b) - 1.0)
    return DeviceGroup(decode=device_errors(off["decode"]), prefill=device_errors(off["prefill"]))


def noise(cases: Sequence[Case]) -> dict[str, DeviceGroup]:
    """How far rows lie apart that the estimate takes for equal."""

    def equal(case: Case) -> Hashable:
        row = case.row
        return (case.runtime_name, case.accelerator_id, case.quantisation_id, shape(case), row.context_tokens,
                row.batch, case.devices, case.method)  # fmt: skip

    processors = (case for case in cases if case.unit in ("cpu", "gpu"))
    return {
        "repeated": _apart(cases, equal, units=1),
        "cpu and gpu": _apart(processors, lambda case: (equal(case), case.model_id), units=2),
    }


def validate_device_rows(rows: Sequence[DeviceRow], fit: DeviceFit) -> DeviceValidation:
    """Errors of the estimate on these rows; a row that cannot be judged is skipped with its reason."""
    cases, skipped = judged_cases(rows)
    results: list[DeviceRowResult] = []
    judged: list[Case] = []
    for case in cases:
        try:
            results.append(judge(case, fit))
            judged.append(case)
        except MissingDataError as reason:
            skipped[str(reason)] = (*skipped.get(str(reason), ()), case.row.id)
    results.sort(key=lambda one: -max(abs(error) for error in one.errors.values() if error is not None))
    groups: dict[str, dict[str, DeviceGroup]] = {}
    for kind in DEVICE_GROUPS:
        names = Counter(_OF[kind](one) for one in results)
        groups[kind] = {
            name: _group(one for one in results if _OF[kind](one) == name) for name, _ in names.most_common()
        }
    return DeviceValidation(
        rows=len(rows),
        predicted=len(results),
        skipped=skipped,
        overall=_group(results),
        groups=groups,
        noise=noise(judged),
        fitted=fit.errors,
        per_row=tuple(results),
    )
