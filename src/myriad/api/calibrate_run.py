"""What a run teaches: figures fitted to it, entries and a system file that hold them, and the plan before and after."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from myriad import catalog
from myriad.api.calibrate_over_time import RunEvidence, over_time
from myriad.api.clusters import cluster_of
from myriad.api.named import at_key
from myriad.api.plan import StepProgress, plan
from myriad.api.training import setting_of
from myriad.api.training_launch import launched_kind, read_plan
from myriad.calibrate.run_entries import Origin, changed_entry, system_text
from myriad.calibrate.run_fit import Machine, Measured, Told, fit_run
from myriad.errors import SpecError, unknown_name
from myriad.spec.calibration import Kernels, Stack, software_and_release
from myriad.spec.result import Plan
from myriad.spec.run_calibration import PlannedFigures, Refit, RunCalibration
from myriad.spec.system import System
from myriad.spec.training_launch import TrainingLaunch

STEP_DEVIATION: Final = 0.02
"""Of ln step time: a median over many steps is better known, the formulas are not."""
MEMORY_SPREAD: Final = 0.1
"""Of a peak, as a share: how far an estimate may be off."""
MEMORY_DEVIATION: Final = 0.02
"""And how exactly ranks tell it."""
UNEXPLAINED: Final = 0.05
"""A prediction that is further off after the fit is told of."""


def calibrate_run(
    evidence: RunEvidence, system: System, include: str, progress: StepProgress | None = None
) -> tuple[RunCalibration, dict[str, str]]:
    """What the run changes, and the files that hold it: path within a folder for `MYRIAD_CATALOG` -> text.

    `include` is how the system file of the answer names `system`. Raises SpecError for a run that made too few steps,
    or whose job or pool the system lacks, or has with another accelerator.
    """
    report, launch = evidence.report, evidence.launch
    for key, name, known in (("jobs", launch.job, system.jobs), ("pools", launch.pool, system.pools)):
        if name not in known:
            raise SpecError(f"{key}: {unknown_name(f'{key[:-1]} of the run', name, known)}")
    step = _measured_step(evidence)
    machine = _machine(launch, system)
    computing = None if evidence.computing_s is None else Measured(evidence.computing_s, 2.0 * STEP_DEVIATION)
    told = fit_run(machine, step, computing)
    fitted = machine.at({one.knob: one.factor for one in told})
    refits, changed = _factor_refits(machine, fitted, told, launch)
    before_s, _, memory_before = machine.times()
    memory = evidence.figure("memory_peak_bytes")
    if memory is not None:
        stack, refit = _with_memory(fitted.stack, launch.work.stack, memory_before, memory)
        fitted = Machine(fitted.setting, fitted.layout, fitted.kernels, stack, fitted.calibrated).at({})
        refits.append(refit)
        changed["stacks"]["reserved_bytes"] = f"peak of {memory / 2**30:.3g} GiB measured"
    files = _machine_files(launch, fitted, changed, evidence.origin)
    pools, jobs, others, profiles = over_time(evidence, system)
    refits += others
    files |= profiles
    run = report.summary.run
    files["system.yaml"] = system_text(f"{system.name}-{run}", include, pools, jobs, run)
    after_s, _, memory_after = fitted.times()
    alone = system.model_copy(update={"jobs": {launch.job: system.jobs[launch.job]}})
    planned_before = plan(alone, progress)
    with tempfile.TemporaryDirectory(prefix="myriad-calibrate-") as folder:
        for path, text in files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_text(text, "utf-8")
        with _catalog_with(Path(folder)):
            planned_after = plan(_changed(alone, pools, jobs), progress)
    return RunCalibration(
        run=run,
        job=launch.job,
        steps=sum(one.kept for one in report.steps),
        layout=launch.layout,
        refits=tuple(refits),
        measured_step_s=step.seconds,
        predicted_before_s=before_s,
        predicted_after_s=after_s,
        measured_memory_bytes=memory,
        memory_before_bytes=memory_before,
        memory_after_bytes=memory_after,
        before=_planned(planned_before),
        after=_planned(planned_after),
        currency=planned_after.currency,
        usd_per_currency=planned_after.usd_per_currency,
        notes=(
            *_notes(told, machine, evidence),
            *_unexplained((step.seconds, after_s), (memory, memory_after)),
        ),
    ), files


def _measured_step(evidence: RunEvidence) -> Measured:
    step = next(one for one in evidence.report.compared if one.figure == "step_s")
    if step.measured is None:
        raise SpecError(f"run {evidence.report.summary.run} has made no step: nothing can be learned from it")
    if not step.measured_low or not step.measured_high:
        few = "has made too few steps to learn from: a median needs 6 beside the first 2 of each life"
        raise SpecError(f"run {evidence.report.summary.run} {few}")
    return Measured(step.measured, max(math.log(step.measured_high / step.measured_low) / 3.92, STEP_DEVIATION))


def _machine(launch: TrainingLaunch, system: System) -> Machine:
    with at_key(f"pools.{launch.pool}"):
        cluster = cluster_of(launch.pool, system.pools[launch.pool])
        if cluster.accelerator_id != launch.accelerator:
            raise SpecError(f"has {cluster.accelerator_id}; the run was on {launch.accelerator}")
    with at_key(f"jobs.{launch.job}"):
        setting = setting_of(launch.model, cluster, launch.work)
        kernels, calibrated = catalog.kernels(cluster.accelerator_id)
        stack = catalog.entry("stacks", software_and_release(launch.work.stack)[0]).spec
    assert isinstance(stack, Stack)
    return Machine(setting, launch.layout, kernels, stack, calibrated).at({})


def _factor_refits(
    before: Machine, after: Machine, told: Sequence[Told], launch: TrainingLaunch
) -> tuple[list[Refit], dict[str, dict[str, str]]]:
    """What is said of the knobs, and kind of entry -> dotted path -> why it changed."""
    kernels = catalog.kernels_entry(before.setting.cluster.accelerator_id).id
    stack = software_and_release(launch.work.stack)[0]
    refits = []
    changed: dict[str, dict[str, str]] = {"kernels": {}, "stacks": {}}
    for one in told:
        sides = (("kernels", kernels, one.knob.kernels), ("stacks", stack, one.knob.stack))
        paths = [(kind, name, keys) for kind, name, all_keys in sides for keys in all_keys]
        kind, _, first = paths[0]
        old, new = ((at.kernels if kind == "kernels" else at.stack) for at in (before, after))
        was, now = _value(old, first), _value(new, first)
        half = 1.96 * one.uncertainty
        refits.append(
            Refit(
                name=one.knob.name, figures=tuple("/".join((kind, name, *keys)) for kind, name, keys in paths),
                before=was, after=now, unit="s" if first[-1].endswith("_s") else "", low=now * math.exp(-half),
                high=now * math.exp(half), spread=one.knob.spread, uncertainty=one.uncertainty,
            )
        )  # fmt: skip
        for kind, _, keys in paths:
            changed[kind][".".join(keys)] = (
                f"times {one.factor:.4g}; 95 % interval {one.factor * math.exp(-half):.3g} to "
                f"{one.factor * math.exp(half):.3g}"
            )
    return refits, changed


def _value(spec: Kernels | Stack, keys: Sequence[str]) -> float:
    within: Any = spec.model_dump()
    for key in keys:
        within = within.get(key) if isinstance(within, dict) else None
    return 1.0 if within is None else float(within)


def _with_memory(stack: Stack, name: str, predicted: float, measured: float) -> tuple[Stack, Refit]:
    """The software with what it reserves changed by most of what the peak is off."""
    weight = MEMORY_SPREAD**2 / (MEMORY_SPREAD**2 + MEMORY_DEVIATION**2)
    after = max(stack.reserved_bytes + weight * (measured - predicted), 0.0)
    refit = Refit(
        name="reserved", figures=(f"stacks/{software_and_release(name)[0]}/reserved_bytes",),
        before=stack.reserved_bytes, after=after, unit="B", spread=MEMORY_SPREAD,
        uncertainty=math.sqrt(weight) * MEMORY_DEVIATION,
    )  # fmt: skip
    return stack.model_copy(update={"reserved_bytes": after}), refit


def _machine_files(
    launch: TrainingLaunch, fitted: Machine, changed: Mapping[str, Mapping[str, str]], origin: Origin
) -> dict[str, str]:
    files = {}
    accelerator = fitted.setting.cluster.accelerator_id
    if changed["kernels"]:
        entry, spec = catalog.kernels_entry(accelerator), fitted.kernels
        name, title = entry.id, None
        if accelerator not in fitted.kernels.accelerators:
            name, title = accelerator, f"Kernel efficiencies of {accelerator}, from usual ones"
            spec = spec.model_copy(update={"accelerators": (accelerator,)})
        files[f"kernels/{name}.yaml"] = changed_entry(entry, spec, changed["kernels"], origin, title)
    if changed["stacks"]:
        software = software_and_release(launch.work.stack)[0]
        entry = catalog.entry("stacks", software)
        files[f"stacks/{software}.yaml"] = changed_entry(entry, fitted.stack, changed["stacks"], origin)
    return files


def _changed(system: System, pools: Mapping[str, Any], jobs: Mapping[str, Any]) -> System:
    """The system with what the file of the answer changes."""
    values = system.model_dump(mode="json")
    for section, changes in (("pools", pools), ("jobs", jobs)):
        for name, change in changes.items():
            for key, value in change.items():
                old = values[section][name][key]
                merged = isinstance(old, dict) and isinstance(value, dict)
                values[section][name][key] = old | value if merged else value
    return System.model_validate(values)


@contextmanager
def _catalog_with(folder: Path) -> Iterator[None]:
    """Lets the catalog see the entries of a folder, after those that the user has."""
    before = os.environ.get(catalog.USER_CATALOG)
    os.environ[catalog.USER_CATALOG] = os.pathsep.join([*([before] if before else []), str(folder)])
    try:
        yield
    finally:
        if before is None:
            del os.environ[catalog.USER_CATALOG]
        else:
            os.environ[catalog.USER_CATALOG] = before


def _planned(found: Plan) -> PlannedFigures | None:
    chosen = found.jobs[0].chosen
    if chosen is None:
        return None
    estimate = chosen.estimate
    return PlannedFigures(
        pool=chosen.pool,
        layout=None if estimate is None else estimate.layout,
        step_s=chosen.step_s,
        memory_peak_bytes=None if estimate is None else estimate.memory_peak_bytes,
        days=chosen.days,
        cost_usd=chosen.cost_usd,
        ettr=chosen.goodput,
    )


def _notes(told: Sequence[Told], machine: Machine, evidence: RunEvidence) -> Iterator[str]:
    if evidence.computing_s is None:
        yield "ranks did not tell how long they computed, so the step time alone is shared out by what was known before"
    if not told:
        yield "the run tells of no figure of the machine more than was known"
    if machine.setting.cluster.accelerator_id not in machine.kernels.accelerators:
        yield "the accelerator had usual kernel efficiencies; it now has an entry of its own"
    if evidence.report.interruptions == 0:
        yield "nothing interrupted the run: that alone says how rarely it can be"


def _unexplained(step_s: tuple[float, float], memory_bytes: tuple[float | None, float]) -> Iterator[str]:
    """What is still off after the fit; each measured and predicted."""
    if abs(step_s[1] / step_s[0] - 1.0) > UNEXPLAINED:
        yield "the figures that may change do not explain the step that was measured"
    if memory_bytes[0] and abs(memory_bytes[1] / memory_bytes[0] - 1.0) > UNEXPLAINED:
        yield "what the software reserves does not explain the peak that was measured"


def calibrate_from_run(
    file: Path, run: str, to: Path | None = None, database: str | None = None, progress: StepProgress | None = None
) -> tuple[RunCalibration, dict[str, str]]:
    """`calibrate_run` of a run in the database, for the system file or plan at `file`.

    The system file of the answer names `file` as seen from the folder `to`; for a plan, it names `described.json`, the
    system that the plan holds, which is among the files then.
    """
    from myriad.run.rank_times import computing_s
    from myriad.run.readings import run_of
    from myriad.run.report import report_of
    from myriad.run.store import Store

    with Store(database, create=False) as store:
        record = run_of(store, run)
        report = report_of(store, record.summary.run)
    if launched_kind(file) == "plan":
        system = read_plan(file).described
        if system is None:
            raise SpecError(f"{file}: it does not hold what was planned, as older plans do not; plan again")
        include, extra = "described.json", {"described.json": system.model_dump_json(indent=2) + "\n"}
    else:
        system, extra = catalog.read_spec(file, System), {}
        include = os.path.relpath(file.resolve(), (to or Path()).resolve())
    own_s = computing_s(record.folder.events, record.launch.layout.pp > 1)
    result, files = calibrate_run(RunEvidence(report, record.launch, own_s), system, include, progress)
    return result, files | extra
