"""Host time per kernel of Megatron-DeepSpeed from the shipped step times of small models on one node.

Layers of 1,024 and 2,048 channels keep an A100 busy for less time than a host needs to launch them, so that these
steps tell what the host takes. One figure is fitted, to the narrower half of the models; the wider half judges it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources

import numpy as np

from myriad import catalog
from myriad.calibrate.fitting import Array, Fit, fit_log
from myriad.errors import SpecError
from myriad.estimate.device import device
from myriad.estimate.setting import Setting
from myriad.estimate.table import estimate_table
from myriad.spec.job import Optimizer, TrainingWork
from myriad.spec.layout import Layout, LayoutTable

STACK = "megatron-deepspeed"
ROWS = "vtrain-single-node.csv"
FP16_GRADIENTS = Optimizer(gradient_bytes=2.0, gradient_reduce_bytes=2.0)


@dataclass(frozen=True)
class Job:
    """Measured layouts of one model, GPU count and batch."""

    setting: Setting
    layouts: LayoutTable
    measured_s: Array

    def steps_s(self, host_s_per_kernel: float) -> Array:
        """Estimated step times with so much host time per kernel."""
        stack = self.setting.stack.model_copy(update={"host_s_per_kernel": host_s_per_kernel})
        return estimate_table(replace(self.setting, stack=stack), self.layouts).step_s


@dataclass(frozen=True)
class HostFit:
    """The figure, its errors on the half fitted, and those on the other half: of |ln(model / measured)|."""

    host_s_per_kernel: float
    fit: Fit
    judged_rows: int
    judged_median_error: float
    judged_p90_error: float
    judged_bias: float
    """Mean of ln(model / measured): above 0 the steps are estimated too long."""


def _job(rows: Sequence[dict[str, str]]) -> Job:
    first = rows[0]
    cluster = catalog.cluster(f"{first['accelerator']}:{first['gpus']}")
    kernels, calibrated = catalog.kernels(cluster.accelerator_id)
    work = TrainingWork(
        seq_len=int(first["seq_len"]), global_batch=int(first["global_batch_sequences"]), precision="fp16",
        optimizer=FP16_GRADIENTS, stack=STACK,
    )  # fmt: skip
    layouts = [
        Layout.model_validate(
            {name: int(row[name]) for name in ("tp", "pp", "dp", "micro_batch")}
            | {"sp": False, "zero": 0, "recompute": (row["recompute"],)}
        )
        for row in rows
    ]
    setting = Setting(
        model=catalog.model(first["model"]), cluster=cluster, work=work,
        device=device(cluster.accelerator, kernels, work.precision, calibrated), stack=catalog.stack(STACK),
    )  # fmt: skip
    return Job(setting, LayoutTable.from_layouts(layouts), np.array([float(row["step_time_s"]) for row in rows]))


def jobs() -> list[Job]:
    """The shipped rows by job."""
    text = (resources.files("myriad") / "data" / "measurements" / "layouts" / ROWS).read_text("utf-8")
    by_job: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader(text.splitlines()):
        by_job.setdefault((row["model"], row["gpus"], row["global_batch_sequences"]), []).append(row)
    return [_job(rows) for rows in by_job.values()]


def fit_host(found: Sequence[Job]) -> HostFit:
    """Host time per kernel, fitted to the jobs of the narrowest models and judged on all others."""
    narrowest = min(job.setting.model.hidden for job in found)
    fitted = [job for job in found if job.setting.model.hidden == narrowest]
    judged = [job for job in found if job.setting.model.hidden > narrowest]
    if not judged:
        raise SpecError("all models have the same width: none is left to judge the fit on")

    def steps_s(of: Sequence[Job], host_s: float) -> Array:
        return np.concatenate([job.steps_s(host_s) for job in of])

    fit = fit_log(
        lambda p: steps_s(fitted, p[0]), np.concatenate([job.measured_s for job in fitted]), ((2e-5,),), (1e-3,)
    )
    measured_s = np.concatenate([job.measured_s for job in judged])
    signed = np.log(steps_s(judged, fit.parameters[0]) / measured_s)
    return HostFit(
        host_s_per_kernel=fit.parameters[0],
        fit=fit,
        judged_rows=len(measured_s),
        judged_median_error=float(np.median(np.abs(signed))),
        judged_p90_error=float(np.quantile(np.abs(signed), 0.9)),
        judged_bias=float(signed.mean()),
    )
