"""Speed of models on devices, with memory and energy, and against the cloud."""

from __future__ import annotations

import math
from collections.abc import Iterator

from myriad import catalog
from myriad.errors import MissingDataError, SpecError, unknown_name
from myriad.estimate.device_load import load
from myriad.estimate.on_device import borrowed, decode_tokens_per_s, prefill_s, rates, work_of
from myriad.spec.accelerator import Accelerator
from myriad.spec.model import Model
from myriad.spec.on_device import USABLE_MEMORY_FRACTION, ComputeUnit, DeviceSpeed, DeviceUse, RuntimeFit

_OWN_MEMORY = ("datacentre", "workstation")
"""Classes of cards whose memory nothing else uses."""
TDP = "the maker's thermal design power: an upper bound"


def device_speeds(model: str, device: str | None, use: DeviceUse) -> list[DeviceSpeed]:
    """Speeds of a catalog model on one device, fastest decode first; without one, the fastest on every fitted chip.

    On one device there is one for each runtime, unit and quantisation that was fitted there, or as `use` narrows
    them. A chip without any gets the figures of a runtime on other chips, and says so. Raises SpecError for unknown
    names, MissingDataError for a chip without the figures that are needed.
    """
    found, entry = catalog.model(model), catalog.entry("models", model)
    runtimes = [one for one in catalog.device_fit().runtimes if _wanted(one, use)]
    if not runtimes:
        names = sorted({one.runtime for one in catalog.device_fit().runtimes})
        raise SpecError(unknown_name("runtime", f"{use.runtime} on {use.unit or 'any unit'}", names))
    if device is not None:
        chip = catalog.entry("accelerators", device).id
        return _speeds_on(entry.id, found, chip, runtimes, use)
    every = [_speeds_on(entry.id, found, chip, runtimes, use) for chip in _fitted_chips(runtimes)]
    return sorted((one[0] for one in every if one), key=lambda one: -one.decode_tokens_per_s)


def _speeds_on(model_id: str, model: Model, chip: str, runtimes: list[RuntimeFit], use: DeviceUse) -> list[DeviceSpeed]:
    """All speeds on one chip: what fits first, then by decode."""
    speeds = [speed_on(model_id, model, chip, *choice, use) for choice in _choices(model, chip, runtimes, use)]
    return sorted(speeds, key=lambda one: (one.fits is False, -one.decode_tokens_per_s))


def _wanted(one: RuntimeFit, use: DeviceUse) -> bool:
    return (use.runtime is None or one.runtime.lower() == use.runtime.lower()) and (
        use.unit is None or use.unit in one.units
    )


def _fitted_chips(runtimes: list[RuntimeFit]) -> list[str]:
    return sorted({chip for one in runtimes for chip in one.accelerators})


def _choices(
    model: Model, chip: str, runtimes: list[RuntimeFit], use: DeviceUse
) -> Iterator[tuple[RuntimeFit, ComputeUnit, str]]:
    there = [one for one in runtimes if chip in one.accelerators]
    if not there and use.runtime is not None:
        there = runtimes
    elif not there:
        other = borrowed(runtimes, catalog.accelerator(chip), chip, use.unit or "gpu")
        there = [other] if other else []
    for one in there:
        units = [unit for unit in one.units if use.unit in (None, unit)]
        names = [catalog.entry("quantisations", use.quantisation).id] if use.quantisation else list(one.quantisations)
        if use.quantisation is None and not model.routed_experts():
            # A format for experts says nothing of models without.
            names = [name for name in names if catalog.quantisation(name).expert_bits is None]
        yield from ((one, unit, name) for unit in units for name in names)


def speed_on(
    model_id: str, model: Model, chip: str, runtime: RuntimeFit, unit: ComputeUnit, quantisation: str, use: DeviceUse
) -> DeviceSpeed:
    """Speed of one model on one chip with one runtime and quantisation."""
    accelerator = catalog.accelerator(chip)
    one = load(model, catalog.quantisation(quantisation))
    # In the mean over the answer the cache holds the prompt and half of the output.
    work = work_of(
        one, runtime, context_tokens=use.prompt_tokens + use.output_tokens / 2, prompt_tokens=use.prompt_tokens,
        batch=use.batch, devices=use.devices,
    )  # fmt: skip
    found = rates(accelerator, chip, runtime, quantisation)
    ttft_s, decode = float(prefill_s(work, found)), float(decode_tokens_per_s(work, found))
    answer_s = ttft_s + (use.output_tokens - 1) * use.batch / decode
    calibrated = chip in runtime.accelerators
    errors = runtime.errors["model" if calibrated else "chip"]
    if errors.decode is None:
        raise MissingDataError(f"no decode speed of {runtime.runtime} was fitted")
    memory_bytes = one.stored_bytes + use.batch * one.cache_bytes(use.prompt_tokens + use.output_tokens)
    usable = _usable_bytes(accelerator, use)
    watts = use.power if use.power is not None else accelerator.tdp_watts
    return DeviceSpeed(
        model=model_id,
        device=chip,
        runtime=runtime.runtime,
        unit=unit,
        quantisation=quantisation,
        devices=use.devices,
        batch=use.batch,
        prompt_tokens=use.prompt_tokens,
        output_tokens=use.output_tokens,
        ttft_s=ttft_s,
        prefill_tokens_per_s=use.batch * use.prompt_tokens / ttft_s,
        decode_tokens_per_s=decode,
        answer_s=answer_s,
        decode_within=errors.decode.within,
        prefill_within=errors.prefill.within if errors.prefill else None,
        calibrated=calibrated,
        memory_bytes=memory_bytes,
        usable_memory_bytes=usable,
        fits=None if usable is None else memory_bytes <= usable,
        power_watts=watts,
        power_from="given" if use.power is not None else TDP if watts is not None else "",
        answer_joules=None if watts is None else watts * answer_s,
    )


def _usable_bytes(accelerator: Accelerator, use: DeviceUse) -> float | None:
    if accelerator.accelerator_class in _OWN_MEMORY and use.memory is None:
        memory = accelerator.usable_memory_bytes or accelerator.memory_bytes
        return None if memory is None else memory * use.devices
    memory = use.memory if use.memory is not None else accelerator.memory_bytes
    return None if memory is None else math.floor(memory * use.devices * USABLE_MEMORY_FRACTION)
