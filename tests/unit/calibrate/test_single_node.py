from __future__ import annotations

from dataclasses import replace

import pytest

from myriad import catalog
from myriad.calibrate.single_node import STACK, fit_host, jobs
from myriad.errors import SpecError


def small(hidden: int):
    """One job of the shallowest model of this width, as the estimate with 50 us per kernel would have measured it."""
    job = next(j for j in jobs() if j.setting.model.hidden == hidden)
    return replace(job, measured_s=job.steps_s(50e-6))


def test_the_fit_finds_what_made_the_times():
    pytest.importorskip("scipy")
    found = fit_host([small(1024), small(2048)])
    assert found.host_s_per_kernel == pytest.approx(50e-6, rel=1e-3)
    assert (found.fit.num_rows, found.judged_rows) == tuple(len(small(h).measured_s) for h in (1024, 2048))
    assert found.judged_p90_error == pytest.approx(0.0, abs=1e-3)


def test_one_width_leaves_none_to_judge():
    with pytest.raises(SpecError, match="none is left to judge"):
        fit_host([small(1024)])


def test_the_shipped_figure_is_the_fitted_one():
    """The whole fit takes half a minute; that its error grows to both sides of the shipped figure takes less."""
    import numpy as np

    narrow = [job for job in jobs() if job.setting.model.hidden == 1024][::6]
    shipped = catalog.stack(STACK).host_s_per_kernel

    def error(host_s: float) -> float:
        return float(np.mean(np.concatenate([np.abs(np.log(j.steps_s(host_s) / j.measured_s)) for j in narrow])))

    assert error(shipped) < min(error(0.9 * shipped), error(1.1 * shipped))
