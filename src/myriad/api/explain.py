"""Explains an estimate: of any layout, of the chosen layout of a system file, of a measured run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from myriad import catalog
from myriad.api.assumptions import assumptions
from myriad.api.clusters import cluster_of
from myriad.api.compare import sensitivities
from myriad.api.named import models_of
from myriad.api.plan import StepProgress, plan, setting_of_job
from myriad.api.services import free_clusters
from myriad.api.training import check_divides, open_up, setting_of
from myriad.errors import InfeasibleError, MissingDataError, SpecError, unknown_name
from myriad.estimate.setting import Setting
from myriad.estimate.training import layout_operations
from myriad.spec.cluster import Cluster
from myriad.spec.explanation import AlikeRun, BandGround, Explanation, RowGround
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.model import Model
from myriad.spec.result import JobPlan, Sensitivity, TrainingEstimate
from myriad.spec.system import System
from myriad.spec.validation import RowResult
from myriad.validate.conventions import release_of
from myriad.validate.errors import SkipError
from myriad.validate.layouts import Run, run_of
from myriad.validate.models import models_from_yaml
from myriad.validate.rows import TrainingRow, read_rows, shipped_rows
from myriad.validate.training import judge


def explain_training(model: str | Model, cluster: str | Cluster, layout: Layout, work: TrainingWork) -> Explanation:
    """The explanation of one layout. Raises SpecError as `estimate_training` does."""
    setting = setting_of(model, cluster, work)
    check_divides(setting, layout)
    subject = f"{setting.model.name}, {setting.cluster.num_accelerators:,} x {setting.cluster.accelerator.name}"
    return _explanation(f"{subject}, {work.precision}, {work.stack}", setting, open_up(setting, layout))


def explain_plan(system: System | Path, job: str | None = None, progress: StepProgress | None = None) -> Explanation:
    """The explanation of what `plan` chooses for one job; `job` may be left out where there is only one.

    Raises SpecError for a job that the system has not, InfeasibleError if no pool can run it.
    """
    subject, setting, planned, estimate = planned_job(system, job, progress)
    return _explanation(subject, setting, estimate, planned.sensitivity)


def planned_job(
    system: System | Path, job: str | None = None, progress: StepProgress | None = None
) -> tuple[str, Setting, JobPlan, TrainingEstimate]:
    """What `plan` chooses for one job: a line that names it, its setting, its plan and the estimate of the layout.

    Raises SpecError for a job that the system has not, InfeasibleError if no pool can run it.
    """
    described = catalog.read_spec(system, System) if isinstance(system, Path) else system
    if not described.jobs:
        raise SpecError("the file has services alone, and no training job")
    if job is None and len(described.jobs) > 1:
        raise SpecError(f"name one of the jobs: {', '.join(described.jobs)}")
    name = job if job is not None else next(iter(described.jobs))
    if name not in described.jobs:
        raise SpecError(unknown_name("job", name, described.jobs))
    alone = described.model_copy(update={"jobs": {name: described.jobs[name]}})
    try:
        whole = plan(alone, progress)
    except SpecError as error:
        raise SpecError(catalog.located(system, str(error)) if isinstance(system, Path) else str(error)) from None
    (planned,) = whole.jobs
    if planned.chosen is not None and planned.chosen.mix is not None:
        raise InfeasibleError(f"job {name}: {planned.chosen.pool} do it best together; without mix, one is explained")
    if planned.chosen is None or planned.chosen.estimate is None:
        raise InfeasibleError(f"job {name}: " + "; ".join(f"{o.pool}: {o.reason}" for o in planned.others))
    pool = planned.chosen.pool
    cluster = free_clusters(described, {pool: cluster_of(pool, described.pools[pool])}, whole.for_jobs)[pool]
    setting = setting_of_job(described.jobs[name], models_of(alone)[described.jobs[name].model], cluster)
    subject = f"{name}: {planned.model_name}, {planned.chosen.num_gpus:,} x {cluster.accelerator.name}"
    subject = f"{subject} ({pool}), {planned.precision}, {planned.stack}"
    return subject, setting, planned, planned.chosen.estimate


def explain_row(row: str, rows: Path | None = None, models: Path | None = None) -> Explanation:
    """The explanation of one measured run and its error, by its id in the shipped rows or in a CSV file.

    `models` names a YAML file with architectures that the catalog lacks. Raises SpecError for an unknown
    id, and for a row that cannot be judged, with the reason.
    """
    table = list(read_rows(rows) if rows is not None else shipped_rows())
    named = {one.id: one for one in table}
    if row not in named:
        raise SpecError(unknown_name("row", row, named))
    known = models_from_yaml(models) if models is not None else {}
    try:
        run = run_of(named[row], known)
    except SkipError as reason:
        raise SpecError(f"{row}: cannot be judged: {reason}") from None
    setting = setting_of(run.model, run.cluster, run.work)
    estimates: list[TrainingEstimate] = []

    def predict(_model: Model, _cluster: Cluster, layout: Layout, _work: TrainingWork) -> TrainingEstimate:
        estimates.append(open_up(setting, layout))
        return estimates[-1]

    result = judge(run, predict)
    if rows is None:
        result = result.model_copy(update={"left_out_errors": dict(catalog.held_out().get(row, {}))})
    software = " ".join(filter(None, (result.stack, result.release)))
    subject = f"{row}: {result.model}, {result.num_gpus:,} x {result.accelerator}, {result.precision}, {software}"
    explained = _explanation(subject, setting, estimates[-1])
    return explained.model_copy(update={"row": _row_ground(result, run, estimates[-1], table)})


def _explanation(
    subject: str, setting: Setting, estimate: TrainingEstimate, sensitivity: tuple[Sensitivity, ...] | None = None
) -> Explanation:
    return Explanation(
        subject=subject,
        estimate=estimate,
        operations=layout_operations(setting, estimate.layout),
        band_ground=_band_ground(setting),
        assumptions=assumptions(setting, estimate.layout),
        sensitivity=sensitivities(setting, estimate, None) if sensitivity is None else sensitivity,
    )


def _band_ground(setting: Setting) -> BandGround:
    fit = catalog.training_fit()
    stack = catalog.find("stacks", setting.work.software) or setting.work.stack
    return BandGround(
        runs=fit.rows,
        stack=stack,
        stack_runs=fit.stacks.get(stack, 0),
        accelerator=setting.cluster.accelerator_id,
        accelerator_runs=fit.accelerators.get(setting.cluster.accelerator_id, 0),
        family=setting.model.family,
        family_half_width=fit.bands.families[setting.model.family],
        coverage=fit.coverage,
    )


def _row_ground(result: RowResult, run: Run, estimate: TrainingEstimate, table: list[TrainingRow]) -> RowGround:
    measured_step_s = estimate.step_s * (1 + result.error)
    band = estimate.band
    others = list(_runs_like(run, table))
    return RowGround(
        result=result,
        switches=run.work.switches,
        measured_step_s=measured_step_s,
        in_band=band is not None and band.low_step_s <= measured_step_s <= band.high_step_s,
        alike=tuple(
            AlikeRun(
                id=other.row.id,
                software=" ".join(filter(None, (_software(other), release_of(other.row)))),
                switches=other.work.switches,
                expert_capacity=other.work.expert_capacity,
                layout=other.layouts[0].text(),
                measured=other.measured_tokens_per_s_per_gpu,
                over_this=other.measured_tokens_per_s_per_gpu / run.measured_tokens_per_s_per_gpu,
            )
            for other in sorted(others, key=lambda r: -r.measured_tokens_per_s_per_gpu)
            if _job(other) == _job(run)
        ),
        kin=sum(
            (other.model.family, _software(other), other.work.precision)
            == (run.model.family, _software(run), run.work.precision)
            for other in others
        ),
    )


def _runs_like(run: Run, table: list[TrainingRow]) -> Iterator[Run]:
    """The other runs on the same accelerator that can be judged; models that only a file knows are left out."""
    for row in table:
        if row.id != run.row.id and row.accelerator == run.row.accelerator:
            try:
                yield run_of(row, {})
            except (SkipError, MissingDataError):
                continue


def _software(run: Run) -> str:
    return run.work.software


def _job(run: Run) -> tuple[object, ...]:
    """What makes two runs the same job: all but layout, software, its switches and whether it drops tokens."""
    work = run.work
    return run.model, run.cluster.num_accelerators, work.precision, work.seq_len, work.global_batch
