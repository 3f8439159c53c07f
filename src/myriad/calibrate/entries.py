"""Catalog entries of kernel efficiencies, written from fits. Every figure says where it comes from."""

from __future__ import annotations

import math
from typing import Any

import yaml

from myriad.calibrate.fitting import Fit
from myriad.calibrate.kernels import PARAMETERS, KernelFits
from myriad.calibrate.operators import Kind
from myriad.spec.calibration import Precision

DATE = "2026-11-21"
TABLES = {
    "title": "NVIDIA AIConfigurator, measured operator tables (Apache-2.0), commit 095f58a",
    "url": "https://github.com/ai-dynamo/aiconfigurator",
    "read_on": DATE,
}
FLASH_ATTENTION = {
    2: {"title": "FlashAttention-2, arXiv 2307.08691", "url": "https://arxiv.org/abs/2307.08691", "read_on": DATE},
    3: {"title": "FlashAttention-3, arXiv 2407.08608", "url": "https://arxiv.org/abs/2407.08608", "read_on": DATE},
}
#: Backward over forward rate of fused causal attention, head size 128, long sequences.
BACKWARD_OVER_FORWARD = {2: 0.83, 3: 0.78}
BACKWARD_MEASURED_ON = {2: "A100", 3: "H100"}

SUSTAINED_SOURCE = {
    "title": "SemiAnalysis, MI300X vs H100 vs H200, training benchmarks (December 2024)",
    "read_on": DATE,
    "note": "quoted from memory: about 720 TFLOP/s in bf16 and 1,280 in fp8 on H100 and H200, Llama shapes",
}
TRAINING_ENGINES = {
    "title": "TransformerEngine and torchao, defaults of fp8 training",
    "url": "https://github.com/NVIDIA/TransformerEngine",
    "read_on": DATE,
    "note": "quoted from memory",
}
#: Entry -> share of the rates of hot, isolated kernels left in a long run, kind, why. Chosen from what is published,
#: after the estimate without it was seen to promise too much everywhere; not optimised on training runs.
SUSTAINED: dict[str, tuple[float, str, str]] = {
    "a100": (
        0.93,
        "assumed",
        "less power per area than the H100, and no heat loss found; 0.9 for random operands is reported",
    ),
    "h100": (0.94, "derived", "720 and 1,280 TFLOP/s over the hot rates fitted in bf16 (1.0) and fp8 (0.87), the mean"),
    "h100-500w": (0.84, "derived", "the H100's, times the cube root of 500 W over 700 W: power grows as clock cubed"),
    "b200": (0.94, "assumed", "as the H100; no long runs published"),
    "gb200": (0.94, "assumed", "as the H100; no long runs published"),
    "gb300": (0.99, "derived", "the GB200's, times the cube root of 1,400 W over 1,200 W: same rates, more power"),
    "l40s": (0.94, "assumed", "as the H100"),
    "default": (0.94, "assumed", "as the H100"),
}
DEFAULT_TILE_ROWS = 128.0
"""Rows of the usual tile, where no grouped products were fitted."""
SHORT_SUMS = ("h100", "h100-500w")
"""Entries of chips whose fp8 sums are short of bits."""
#: Rate of their backward products in fp8 with a scale per tensor, over the forward one's.
BACKWARD_SHARE_FP8 = 0.85
BACKWARD_SHARE_NOTE = (
    "Hopper sums fp8 products with few bits; training moves sums to fp32 in the backward pass (split accumulator, "
    "TransformerEngine; use_fast_accum off, torchao), the tables and the forward pass do not; said to cost 10 to 25 %, "
    "a round share between"
)
PORTABLE_SHARE = {
    2: (1.0, "published", "FlashAttention-2 is what the figures are measured with"),
    3: (0.55, "derived", "FlashAttention-2 on H100: about 370 of 700 TFLOP/s forward, 320 of 550 backward"),
}
"""Generation of the native kernels -> what kernels of the generation before reach of them."""
PORTABLE_ON_BLACKWELL = (
    0.43,
    "assumed",
    "the matrix instructions of earlier chips do not reach the tensor memory: less than Hopper's share, rounded",
)
BLACKWELL = ("b200", "gb200", "gb300")

#: Precision -> the fitted one whose figures it borrows, and why.
BORROWED: dict[Precision, tuple[Precision, str]] = {
    "mxfp8": ("fp8", "no measured operators; the same matrix rate as fp8"),
    "tf32": ("bf16", "no measured operators; share of its own rate as in bf16"),
    "fp32": ("bf16", "no measured operators; share of its own rate as in bf16"),
}


def rounded(value: float) -> float:
    """Three digits."""
    return float(f"{value:.3g}")


def derived(value: float, note: str, kind: str = "derived", source: str = "tables") -> dict[str, Any]:
    """A figure with its provenance, where that is not the entry's."""
    return {"value": rounded(value), "source": source, "kind": kind, "note": note}


def yaml_text(body: dict[str, Any]) -> str:
    """The YAML text of an entry."""
    return yaml.safe_dump(body, sort_keys=False, default_flow_style=None, width=200)


def _named(kind: Kind, values: tuple[float, ...]) -> dict[str, float]:
    """Figures by name; those that the fit drove to nothing are zero, and leave out what they make meaningless."""
    figures = {
        name: rounded(value) if value > start * 1e-3 else 0.0
        for (name, (start, _)), value in zip(PARAMETERS[kind].items(), values, strict=False)
    }
    if "split_k" in figures and (figures["step_s"] == 0.0 or figures["split_k"] == 0.0):
        figures["step_s"] = 0.0
        figures["split_k"] = PARAMETERS[kind]["split_k"][0]
    return figures


def _noted(figures: dict[str, float], note: str) -> dict[str, Any]:
    return {name: derived(value, note) for name, value in figures.items()}


def _gemm_tables(fits: KernelFits) -> tuple[dict[str, Any], dict[str, Any]]:
    dense: dict[str, Any] = {}
    grouped: dict[str, Any] = {}
    shapes = {precision: _named("gemm", fit.parameters) for precision, fit in fits.gemm.items()}
    own = {precision: _named("grouped_gemm", fit.parameters) for precision, fit in fits.grouped_gemm.items()}
    fractions = {p: min(own[p]["peak_fraction"] / shapes[p]["peak_fraction"], 1.0) for p in own}
    ratio = math.prod(fractions.values()) ** (1.0 / len(fractions)) if fractions else 1.0

    def scaled(lender: Precision, share: float) -> dict[str, float]:
        figures = {**shapes[lender], **own.get(lender, {"tile_rows": DEFAULT_TILE_ROWS})}
        return figures | {"peak_fraction": rounded(shapes[lender]["peak_fraction"] * share)}

    for precision, figures in shapes.items():
        dense[precision] = dict(figures)
        if precision in fractions:
            grouped[precision] = dict(scaled(precision, fractions[precision]))
            if fractions[precision] == 1.0:
                note = "the dense fraction; fitted higher, since short products of small numbers draw less power"
                grouped[precision]["peak_fraction"] = derived(figures["peak_fraction"], note)
        else:
            note = "dense figures times the ratio of the fitted precisions; tiles of 128 rows"
            grouped[precision] = _noted(scaled(precision, ratio), note)
    for precision, (lender, note) in BORROWED.items():
        if lender in shapes:
            dense[precision] = _noted(shapes[lender], note)
            grouped[precision] = _noted(scaled(lender, fractions.get(lender, ratio)), note)
    return dense, grouped


def _sustained(name: str) -> dict[str, Any]:
    value, kind, note = SUSTAINED[name]
    return derived(value, note, kind, "long-runs")


def _residuals(fits: KernelFits) -> str:
    def line(kind: str, fit: Fit) -> str:
        return f"#   {kind}: {fit.num_rows} rows, {fit.median_error:.1%} median, {fit.p90_error:.0%} 90th percentile\n"

    lines = [line(f"gemm {p}", f) for p, f in fits.gemm.items()]
    lines += [line(f"grouped_gemm {p}", f) for p, f in fits.grouped_gemm.items()]
    lines += [line("attention bf16", fits.attention), f"#   memory_fraction: {fits.memory_rows} rows, upper quartile\n"]
    return "".join(lines)


def entry_text(
    name: str, title: str, accelerators: list[str], fits: KernelFits, flash_attention: int, measured: str
) -> str:
    """The YAML text of one entry, residuals in the head comment."""
    dense, grouped = _gemm_tables(fits)
    if name in SHORT_SUMS:
        for table in (dense, grouped):
            table["fp8"]["backward_share"] = derived(BACKWARD_SHARE_FP8, BACKWARD_SHARE_NOTE, "assumed", "training")
    attention = _named("attention", fits.attention.parameters)
    forward = attention.pop("forward_fraction")
    ratio = BACKWARD_OVER_FORWARD[flash_attention]
    measured_on = BACKWARD_MEASURED_ON[flash_attention]
    note = f"{ratio} of the forward fraction: published rates of {measured_on}, rounded, quoted second-hand"
    on_this = measured_on.lower() in accelerators[0]
    portable, portable_kind, portable_note = (
        PORTABLE_ON_BLACKWELL if name in BLACKWELL else PORTABLE_SHARE[flash_attention]
    )
    spec = {
        "accelerators": accelerators,
        "gemm": dense,
        "grouped_gemm": grouped,
        "attention": {
            "bf16": {
                "forward_fraction": rounded(forward),
                "backward_fraction": derived(
                    forward * ratio, note, "published" if on_this else "derived", "flash-attention"
                ),
                "portable_share": derived(portable, portable_note, portable_kind, "flash-attention"),
                **attention,
            }
        },
        "memory_fraction": rounded(fits.memory_fraction),
        "launch_s": rounded(fits.launch_s),
        "sustained_fraction": _sustained(name),
    }
    head = (
        f"# Fitted {DATE} by `python -m myriad.calibrate kernels`; |ln(model / measured)| on the rows fitted:\n"
        f"{_residuals(fits)}"
        f"# Measured on {measured}; {', '.join(accelerators)} share its figures where they have the same cores.\n"
    )
    body = {
        "schema": 1,
        "title": title,
        "aliases": [],
        "sources": {
            "tables": TABLES,
            "flash-attention": FLASH_ATTENTION[flash_attention],
            "long-runs": SUSTAINED_SOURCE,
        }
        | ({"training": TRAINING_ENGINES} if name in SHORT_SUMS else {}),
        "source": "tables",
        "kind": "measured",
        "spec": spec,
    }
    return head + yaml_text(body)


def default_text(all_fits: list[KernelFits]) -> str:
    """The YAML text of the entry for accelerators without one: means of the fitted ones."""

    def mean(values: list[float]) -> float:
        return math.prod(values) ** (1.0 / len(values)) if min(values) > 0.0 else math.fsum(values) / len(values)

    tables = [_gemm_tables(fits) for fits in all_fits]

    def number(value: Any) -> float:
        return float(value["value"] if isinstance(value, dict) else value)

    def gemm_mean(which: int) -> dict[str, Any]:
        names = list(dict.fromkeys(p for t in tables for p in t[which]))
        return {
            p: {
                figure: rounded(mean([number(t[which][p][figure]) for t in tables if p in t[which]]))
                for figure in PARAMETERS["gemm"]
            }
            for p in names
        }

    attentions = [_named("attention", f.attention.parameters) for f in all_fits]
    attention = {figure: rounded(mean([a[figure] for a in attentions])) for figure in attentions[0]}
    forward = attention.pop("forward_fraction")
    spec = {
        "accelerators": [],
        "gemm": gemm_mean(0),
        "grouped_gemm": gemm_mean(1),
        "attention": {
            "bf16": {
                "forward_fraction": forward,
                "backward_fraction": rounded(forward * BACKWARD_OVER_FORWARD[3]),
                **attention,
            }
        },
        "memory_fraction": rounded(mean([f.memory_fraction for f in all_fits])),
        "launch_s": rounded(mean([f.launch_s for f in all_fits])),
        "sustained_fraction": _sustained("default"),
    }
    body = {
        "schema": 1,
        "title": "Default kernel efficiencies",
        "aliases": [],
        "sources": {"tables": TABLES, "long-runs": SUSTAINED_SOURCE},
        "source": "tables",
        "kind": "derived",
        "spec": spec,
    }
    head = (
        f"# Means (geometric where none is zero) of the fitted entries of training chips ({DATE}).\n"
        "# For accelerators that have none of their own.\n"
        "# Nothing here was measured on the accelerator that uses it.\n"
    )
    return head + yaml_text(body)
