"""The serving part of a catalog entry of kernels, written from fits, and the default's from all of them."""

from __future__ import annotations

import math
from typing import Any, Final

import yaml

from myriad.calibrate.entries import derived, rounded, yaml_text
from myriad.calibrate.serving import ServingFits
from myriad.spec.calibration import Kernels
from myriad.spec.serving_kernels import ServingPrecision

NOTHING = 1e-12
"""Where a fit has driven a figure to nothing."""
NEGLIGIBLE_S = 1e-7
"""Most that a chain of steps takes in all where it is left out."""
#: Figure at which a chain of steps ends -> the step, and what stands there when there is no chain.
_SPLITS: Final = {"split_k": ("step_s", 3e3), "split_keys": ("step_s", 1e4), "split_tokens": ("token_s", 200.0)}
BACKWARD = (1.0, "serving has no backward pass", "assumed")
#: Precision -> the one whose layers of experts it borrows, and why.
_BORROWED: Final[dict[ServingPrecision, tuple[ServingPrecision, str]]] = {
    "mxfp8": ("fp8", "no measured operators; the same matrix rate as fp8"),
    "int8-weights": ("int4-weights", "no measured operators; the same kernels as 4-bit weights"),
    "mxfp4": ("int4-weights", "no measured operators; the same kernels as 4-bit weights"),
}
_WEIGHT_ONLY = (
    "not measured; as in bf16, with the rows per tile of this chip's experts of 4-bit weights, at the share of the "
    "rate that kernels written for earlier chips reach"
)
_CACHE = "no measured operators; as over 16 bits, with the bytes of 8"
_MXFP4 = "no measured operators outside layers of experts; these chips compute it as 8-bit activations do"


def section(fits: ServingFits, kernels: Kernels, blackwell: bool) -> dict[str, Any]:
    """`decode` and `serving` of an entry; what was not fitted is borrowed, and says so."""
    gemm: dict[str, Any] = {p: _clean(figures) for p, figures in fits.gemm.items()}
    grouped: dict[str, Any] = {p: _clean(figures) for p, figures in fits.grouped_gemm.items()}
    experts: dict[str, Any] = {p: _clean(figures) for p, figures in fits.experts.items()}
    bf16 = kernels.gemm["bf16"]
    for precision, (lender, note) in _BORROWED.items():
        for table in (gemm, grouped, experts):
            if precision not in table and lender in table:
                table[precision] = _noted(table[lender], note)
    for precision in ("int8-weights", "int4-weights", "mxfp4"):
        if precision == "mxfp4" and blackwell:
            gemm[precision] = _noted(gemm["fp8"], _MXFP4)
        elif precision not in gemm:
            figures = bf16.model_dump(exclude={"backward_share"})
            figures["peak_fraction"] = bf16.peak_fraction * kernels.attention["bf16"].portable_share
            figures["tile_rows"] = _values(grouped["int4-weights"])["tile_rows"]
            gemm[precision] = _noted(figures, _WEIGHT_ONLY)
    decode: dict[str, Any] = {cache: _clean(figures) for cache, figures in fits.decode.items()}
    for cache, lender in (("fp8", "bf16"), ("latent-fp8", "latent-bf16")):
        if cache not in decode and lender in decode:
            decode[cache] = _noted(decode[lender], _CACHE)
    attention = {
        cache: {**_clean(figures), "backward_fraction": derived(*BACKWARD)} for cache, figures in fits.attention.items()
    }
    return {
        "decode": decode,
        "serving": {
            "gemm": gemm,
            "grouped_gemm": grouped,
            "experts": experts,
            **({"attention": attention} if attention else {}),
            "all_reduce": _clean(fits.all_reduce),
            **({"exchange": _exchange(fits)} if fits.exchange else {}),
        },
    }


def default_section(sections: list[dict[str, Any]]) -> dict[str, Any]:
    """`decode` and `serving` of the default entry: means of the others, geometric where none is zero."""
    found: dict[str, Any] = _mean(sections)
    return found


def with_section(text: str, part: dict[str, Any], fits: ServingFits | None) -> str:
    """The text of an entry with its serving part replaced, and the errors of the fits in its head comment."""
    lines = text.splitlines(keepends=True)
    head = [line for line in lines if line.startswith("#") and not line.startswith(("#   serving", "#   decode"))]
    errors = [
        f"#   serving {name}: {fit.num_rows} rows, {fit.median_error:.1%} median, {fit.p90_error:.0%} 90th percentile\n"
        for name, fit in (fits.fits.items() if fits is not None else ())
    ]
    body: dict[str, Any] = yaml.safe_load(text)
    body["spec"] = {k: v for k, v in body["spec"].items() if k not in ("decode", "serving")} | part
    return "".join(head[:-1] + errors + head[-1:]) + yaml_text(body)


def serving_part(text: str) -> dict[str, Any]:
    """The serving part of the text of an entry; nothing where it has none."""
    spec: dict[str, Any] = yaml.safe_load(text)["spec"]
    return {key: spec[key] for key in ("decode", "serving") if key in spec}


def _exchange(fits: ServingFits) -> dict[str, Any]:
    return {kind: {way: _clean(figures) for way, figures in ways.items()} for kind, ways in fits.exchange.items()}


def _clean(figures: dict[str, float]) -> dict[str, Any]:
    """Three digits; figures that the fit drove to nothing are zero, and leave out what they make meaningless."""
    found: dict[str, Any] = {name: rounded(value) if value > NOTHING else 0.0 for name, value in figures.items()}
    for split, (step, start) in _SPLITS.items():
        if split in found and found[step] * found[split] < NEGLIGIBLE_S:
            found[step], found[split] = 0.0, start
    return found


def _values(figures: dict[str, Any]) -> dict[str, float]:
    return {name: float(f["value"] if isinstance(f, dict) else f) for name, f in figures.items()}


def _noted(figures: dict[str, Any], note: str) -> dict[str, Any]:
    return {name: derived(value, note) for name, value in _values(figures).items()}


def _mean(parts: list[Any]) -> Any:
    first = parts[0]
    if isinstance(first, dict) and "value" not in first:
        names = list(dict.fromkeys(name for part in parts for name in part))
        return {name: _mean([part[name] for part in parts if name in part]) for name in names}
    values = [float(part["value"] if isinstance(part, dict) else part) for part in parts]
    if min(values) > 0.0:
        return rounded(math.prod(values) ** (1.0 / len(values)))
    return rounded(math.fsum(values) / len(values))
