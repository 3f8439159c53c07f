"""Catalog entries of a measured machine: accelerator, node and kernels under one name."""

from __future__ import annotations

from typing import Any, Final

from myriad.calibrate.entries import yaml_text
from myriad.calibrate.fitting import Fit
from myriad.calibrate.machine import MeasuredMachine
from myriad.measure.machine import Machine
from myriad.spec.calibration import AttentionEfficiency, GemmEfficiency, Precision

BY: Final = "myriad measure: "
"""How the source of an entry that was made here begins."""

_RATES: dict[Precision, str] = {"fp32": "fp32_flops_per_s", "bf16": "bf16_flops_per_s"}


def machine_entries(
    name: str, found: MeasuredMachine, machine: Machine, ranks: int, threads: int, device: str, precision: Precision
) -> dict[str, str]:
    """Path in a catalog folder -> YAML text; `ranks` measured at once, each with so many threads."""
    shape = f"{ranks} rank{'s' if ranks > 1 else ''} at once"
    if device == "cpu":
        shape += f", {threads} thread{'s' if threads > 1 else ''} each, on {machine.cores} cores"
    of_one = "GPU" if device == "cuda" else "rank"
    title = f"{machine.processor}, {shape}"
    spread = f"times are medians; the middle row's slowest repetition took {machine.spread:.0%} longer than its fastest"
    before = "" if machine.busy_cores is None else f"; others kept {machine.busy_cores:.1f} cores busy before"
    source = {
        "title": f"{BY}{title}, torch {machine.torch}",
        "read_on": machine.date,
        "note": f"measured here; {spread}{before}",
    }
    head = {
        "schema": 1, "title": title, "aliases": [],
        "sources": {"measured": source}, "source": "measured", "kind": "measured",
    }  # fmt: skip
    accelerator: dict[str, Any] = {
        "name": f"{machine.processor} ({of_one} of {ranks})",
        "vendor": machine.vendor,
        "accelerator_class": "datacentre" if device == "cuda" else "computer",
        _RATES[precision]: _noted(found.peak_flops_per_s, "the best product measured; stands as the peak"),
        "memory_bytes": _memory(machine.memory_bytes, ranks, device),
        "memory_bytes_per_s": _noted(found.memory_bytes_per_s, "the best stream measured, reads and writes"),
        **({} if machine.num_sms is None else {"num_sms": machine.num_sms}),
        "default_node": name,
    }
    kernels = {
        "accelerators": [name],
        "gemm": {precision: _figures(found.gemm, "tile_rows", "stream_share", "backward_share")},
        "grouped_gemm": {precision: _figures(found.gemm, "tile_rows", "stream_share", "backward_share")},
        "attention": {precision: _figures(found.attention, "half_head", "overhead_s")},
        "attention_training_share": _noted(1.0, "attention was measured forward and backward, as training has it"),
        "memory_fraction": _rounded(found.memory_fraction),
        "launch_s": _rounded(found.launch_s),
        "eager": {
            kind: {way: [list(pair) for pair in pairs] for way, pairs in passes.model_dump().items() if pairs}
            for kind, passes in found.eager.items()
        },
    }
    texts = {
        "accelerators": {**head, "spec": accelerator},
        "nodes": {**head, "spec": _node(name, title, found, ranks)},
        "kernels": {**head, "notes": [_errors(found.fits), *_missing(precision)], "spec": kernels},
    }
    return {f"{kind}/{name}.yaml": yaml_text(body) for kind, body in texts.items()}


def _node(name: str, title: str, found: MeasuredMachine, ranks: int) -> dict[str, Any]:
    link = found.link
    if link is None:
        alone = "one rank sends nothing: its memory stands for a link"
        figures: dict[str, Any] = {
            "bytes_per_s_one_way": _noted(found.memory_bytes_per_s, alone, "assumed"),
            "latency_s": _noted(1e-6, alone, "assumed"),
            "efficiency": _noted(1.0, alone, "assumed"),
        }
    else:
        figures = {
            "bytes_per_s_one_way": _noted(link.bytes_per_s_one_way, "the best collective measured, bus bandwidth"),
            "latency_s": _rounded(link.latency_s),
            "efficiency": _rounded(link.efficiency),
            "half_bytes": _rounded(link.half_bytes),
            "start_s": _rounded(link.start_s),
            "gather_share": _rounded(link.gather_share),
        }
    beyond = "no network was measured: as between ranks of this host"
    outside = {
        key: _noted(figures[key]["value"] if isinstance(figures[key], dict) else figures[key], beyond, "assumed")
        for key in ("bytes_per_s_one_way", "latency_s", "efficiency")
    }
    return {
        "name": title,
        "accelerator": name,
        "num_accelerators": ranks,
        "scale_up_domain": ranks,
        **{f"scale_up_{key}": value for key, value in figures.items()},
        **{f"scale_out_{key}": value for key, value in outside.items()},
    }


def _memory(whole: float, ranks: int, device: str) -> Any:
    return _rounded(whole) if device == "cuda" else _noted(whole / ranks, "an equal part of the host's")


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def _noted(value: float, note: str, kind: str = "measured") -> dict[str, Any]:
    return {"value": _rounded(value), "kind": kind, "note": note}


def _figures(fit: GemmEfficiency | AttentionEfficiency, *more: str) -> dict[str, float]:
    """Figures that were fitted, those that mean nothing at zero included."""
    kept = fit.model_dump(exclude_unset=True)
    return {key: _rounded(value) if value > 1e-12 else 0.0 for key, value in kept.items() if value or key not in more}


def _errors(fits: dict[str, Fit]) -> str:
    each = (
        f"{name} {fit.median_error:.1%} median, {fit.p90_error:.0%} 90th percentile of {fit.num_rows} rows"
        for name, fit in fits.items()
    )
    return f"|ln(model / measured)| on the rows fitted: {'; '.join(each)}."


def _missing(precision: Precision) -> list[str]:
    return [
        f"Only {precision} was measured.",
        "No grouped products were measured: their figures are those of dense ones.",
    ]
