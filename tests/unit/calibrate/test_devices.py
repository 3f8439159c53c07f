"""The fit of on-device speeds: known figures come back, odd rows bend little, what was left out did not count."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from myriad import catalog
from myriad.calibrate.devices import RUNTIMES, figures, fit_runtime, speeds, written
from myriad.estimate.on_device import decode_tokens_per_s, prefill_s, rates
from myriad.spec.on_device import DeviceFit, RuntimeFit
from myriad.validate.device_cases import Case, case_of, prefilled_tokens
from myriad.validate.device_rows import DeviceRow

RUNTIME = RuntimeFit(
    runtime="llama.cpp", units=("gpu",), reference="peak", chunk_tokens=512, factors=(), errors={},
    accelerators={}, quantisations={},
)  # fmt: skip
TRUE = {"weights": 0.6, "cache": 0.4, "layer": 4e-5, "compute": 0.3, "attention": 0.2}


def cases() -> list[Case]:
    found = []
    for model in ("llama3-8b", "qwen3-0.6b", "qwen3-4b", "llama3.2-3b"):
        for device in ("rtx-4090", "rtx-3090"):
            for context in (512, 4096):
                row = {"id": f"{model} {device} {context}", "source": "made", "device": device, "model": model,
                       "quantisation": "q4_0", "runtime": "llama.cpp", "unit": "gpu", "context_tokens": context,
                       "decode_tokens_per_s": 1.0, "prefill_tokens_per_s": 1.0}  # fmt: skip
                found.append(case_of(DeviceRow.model_validate(row)))
    known = RUNTIME.model_copy(update={"factors": tuple(
        one.model_copy(update={"value": TRUE[one.rate]}) for one in figures(found, RUNTIME) if not one.accelerator
    )})  # fmt: skip
    made = []
    for case in found:
        work, one = case.work(known), rates(case.accelerator, case.accelerator_id, known, "q4_0")
        prefill = prefilled_tokens(case, known) / float(prefill_s(work, one))
        made.append(dataclasses.replace(case, decode=float(decode_tokens_per_s(work, one)), prefill=prefill))
    return made


def test_known_figures_come_back():
    fitted, off = fit_runtime(cases(), RUNTIME)
    assert np.abs(off["fitted"]).max() < 0.01
    for one in fitted.factors:
        if one.accelerator is None:
            assert one.value == pytest.approx(TRUE[one.rate], rel=0.25), one.rate
    assert np.abs(off["model"]).max() < 0.05
    assert np.abs(off["chip"]).max() < 0.05


def test_an_odd_row_bends_the_others_little():
    made = cases()
    assert made[0].decode is not None
    made[0] = dataclasses.replace(made[0], decode=made[0].decode / 10)
    _, off = fit_runtime(made, RUNTIME)
    assert off["fitted"][0][0] == pytest.approx(np.log(10), abs=0.1)
    assert np.median(np.abs(off["fitted"][0][1:])) < 0.02


def test_a_speed_that_no_row_states_does_not_count():
    made = [dataclasses.replace(case, prefill=None) for case in cases()]
    fitted, off = fit_runtime(made, RUNTIME)
    assert np.isnan(off["fitted"][1]).all()
    assert fitted.errors["fitted"].prefill is None
    assert next(one.value for one in fitted.factors if one.rate == "compute") == pytest.approx(0.4, rel=1e-3)


def test_figures_belong_to_chips_quantisations_and_methods_that_rows_have():
    found = figures(cases(), RUNTIME)
    assert {one.accelerator for one in found} == {None, "rtx-4090", "rtx-3090"}
    assert {one.quantisation for one in found} == {None}
    assert not {"hop", "scan", "sequence", "draft"} & {one.rate for one in found}
    assert all(one.rows > 0 for one in found)
    assert len(speeds(cases(), RUNTIME).decode) == 16


def test_the_shipped_calibration_holds_every_runtime_and_is_written_as_it_is_read():
    fit = catalog.device_fit()
    assert [(one.runtime, one.units) for one in fit.runtimes] == [(name, units) for name, units, *_ in RUNTIMES]
    import yaml

    assert DeviceFit.model_validate(yaml.safe_load(written(fit))) == fit
