"""Judges estimates, and the ranking of layouts, against published runs and measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from myriad import catalog
from myriad.api.serving import machine_of
from myriad.api.training import setting_of
from myriad.estimate.table import estimate_table
from myriad.estimate.training import estimate_layout
from myriad.spec.cluster import Cluster
from myriad.spec.interconnect import InterconnectValidation
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout, LayoutTable
from myriad.spec.model import Model
from myriad.spec.on_device import DeviceValidation
from myriad.spec.result import TrainingEstimate
from myriad.spec.serving_validation import ServingValidation
from myriad.spec.validation import RankingValidation, Validation
from myriad.validate.device import validate_device_rows
from myriad.validate.device_rows import read_device_rows, shipped_device_rows
from myriad.validate.interconnect import validate_interconnect_rows
from myriad.validate.interconnect_rows import read_interconnect_rows, shipped_interconnect_rows
from myriad.validate.left_out import with_left_out
from myriad.validate.models import models_from_yaml
from myriad.validate.ranking import validate_ranking as judge_ranking
from myriad.validate.rows import read_rows, shipped_rows
from myriad.validate.serving import validate_serving_rows
from myriad.validate.serving_estimates import estimate_cases
from myriad.validate.serving_left_out import with_serving_left_out
from myriad.validate.serving_rows import read_serving_rows, shipped_serving_rows
from myriad.validate.training import validate_rows


def validate_training(
    rows: Path | None = None, models: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> Validation:
    """Errors of the training estimate on the shipped rows, or on a CSV file in the same columns.

    `models` names a YAML file with architectures that the catalog lacks. `progress` is called with the
    number of rows judged and the number of rows in all.
    """
    table = list(read_rows(rows) if rows is not None else shipped_rows())
    known = models_from_yaml(models) if models is not None else {}
    judged = 0

    def predict(model: Model, cluster: Cluster, layout: Layout, work: TrainingWork) -> TrainingEstimate:
        nonlocal judged
        judged = min(judged + 1, len(table))
        if progress is not None:
            progress(judged, len(table))
        return estimate_layout(setting_of(model, cluster, work), layout)

    result = validate_rows(table, predict, known)
    return result if rows is not None else with_left_out(result, catalog.training_fit(), catalog.held_out())


def validate_serving(rows: Path | None = None, progress: Callable[[int, int], None] | None = None) -> ServingValidation:
    """Errors of the serving estimate on the shipped rows, or on a CSV file in the same columns.

    `progress` is called with the number of rows estimated and the number of rows that can be.
    """
    table = read_serving_rows(rows) if rows is not None else shipped_serving_rows()
    result = validate_serving_rows(table, lambda cases: estimate_cases(cases, machine_of, progress))
    return result if rows is not None else with_serving_left_out(result, catalog.serving_held_out())


def validate_ranking(rows: Path | None = None, models: Path | None = None) -> RankingValidation:
    """How well the layouts of one job are ranked, on all shipped rows or on a CSV file in the same columns.

    `models` names a YAML file with architectures that the catalog lacks.
    """
    table = read_rows(rows) if rows is not None else [*shipped_rows(), *shipped_rows("layouts")]
    known = models_from_yaml(models) if models is not None else {}
    return judge_ranking(table, _steps_and_fits, known)


def _steps_and_fits(
    model: Model, cluster: Cluster, work: TrainingWork, layouts: Sequence[Layout]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    setting = setting_of(model, cluster, work)
    table = estimate_table(setting, LayoutTable.from_layouts(layouts))
    return table.step_s, table.memory_peak_bytes <= setting.device.memory_bytes


def validate_device(rows: Path | None = None) -> DeviceValidation:
    """Errors of on-device estimates on the shipped rows, or on a CSV file in the same columns."""
    table = read_device_rows(rows) if rows is not None else shipped_device_rows()
    return validate_device_rows(table, catalog.device_fit())


def validate_interconnect(rows: Path | None = None) -> InterconnectValidation:
    """Errors of collectives and expert exchanges on the shipped rows, or on a CSV file in the same columns."""
    return validate_interconnect_rows(read_interconnect_rows(rows) if rows is not None else shipped_interconnect_rows())
