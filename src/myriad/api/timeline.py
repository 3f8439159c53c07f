"""The timeline of a step: of any layout, of the chosen layout of a system file."""

from __future__ import annotations

from pathlib import Path

from myriad.api.explain import planned_job
from myriad.api.plan import StepProgress
from myriad.api.step_timeline import step_timeline
from myriad.api.training import check_divides, setting_of
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.model import Model
from myriad.spec.system import System
from myriad.spec.timeline import StepTimeline


def timeline_of(model: str | Model, cluster: str | Cluster, layout: Layout, work: TrainingWork) -> StepTimeline:
    """The timeline of one layout.

    Raises SpecError as `estimate_training` does, and InfeasibleError if its schedule does not exist for so many
    stages, chunks and micro-batches.
    """
    setting = setting_of(model, cluster, work)
    check_divides(setting, layout)
    subject = f"{setting.model.name}, {setting.cluster.num_accelerators:,} x {setting.cluster.accelerator.name}"
    return step_timeline(f"{subject}, {work.precision}, {work.stack}", setting, layout)


def timeline_of_plan(
    system: System | Path, job: str | None = None, progress: StepProgress | None = None
) -> StepTimeline:
    """The timeline of what `plan` chooses for one job; `job` may be left out where there is only one."""
    subject, setting, _, estimate = planned_job(system, job, progress)
    return step_timeline(subject, setting, estimate.layout)
