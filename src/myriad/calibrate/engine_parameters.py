"""The parameters of serving estimates that are fitted to measured runs: what each means, how far it may move.

As in `calibrate.parameters`, every parameter is a factor on assumed figures of the catalog: of a serving engine, or of
an accelerator's kernels as engines use them. None belongs to a model or to a run. A parameter of `*` is common to all
engines, so that what the runs of one teach about all reaches those that no run was published of.
"""

from __future__ import annotations

from typing import Final

from myriad.spec.fitted import Factor

#: Figure of an engine -> what it means, how far the common one may move, and how far an engine's own.
_ENGINE: Final[dict[str, tuple[str, float, float]]] = {
    "gemm_share": ("rate of dense products over isolated ones", 0.15, 0.08),
    "expert_share": ("rate of routed experts over isolated ones", 0.25, 0.15),
    "attention_share": ("rate of prefill attention over isolated kernels", 0.3, 0.2),
    "decode_share": ("rate of decode attention over isolated kernels", 0.2, 0.15),
    "stream_passes": ("time of element-wise work over that of fused streams", 0.4, 0.25),
    "exchange_share": ("rate of collectives over those alone", 0.3, 0.2),
    "iteration_s": ("time of an iteration beside its kernels", 0.7, 0.5),
    "sequence_s": ("the same per sequence", 1.0, 0.7),
    "prefill_s": ("more of it with prefill", 0.7, 0.5),
    "prefill_layer_s": ("the same per layer", 0.7, 0.5),
    "request_s": ("way of a request to and from the engine", 0.7, 0.5),
    "request_token_s": ("the same per prompt token", 1.0, 0.7),
}

ENGINES: Final = ("sglang", "trtllm", "vllm")
"""Engines with runs enough for figures of their own."""


#: Precision of weights -> whether models have dense products, routed experts in it.
_PRECISIONS: Final[dict[str, tuple[str, ...]]] = {
    "bf16": ("gemm_share", "expert_share"),
    "fp8": ("gemm_share", "expert_share"),
    "fp8-block": ("gemm_share", "expert_share"),
    "nvfp4": ("gemm_share", "expert_share"),
    "mxfp4": ("expert_share",),
}
#: Kernels entries of one chip design.
_CHIPS: Final = (("h100", "h100-500w"), ("b200",), ("gb200", "gb300"))
_PRODUCTS: Final = {"gemm_share": "rate of dense products", "expert_share": "rate of routed experts"}


def _kernels() -> list[Factor]:
    """Precisions, whatever the chip; and chips, whatever the precision."""
    found = [
        _factor(f"{_PRODUCTS[name]} in {precision} over isolated ones", 0.1, f"kernels/*/serving/{name}/{precision}")
        for precision, names in _PRECISIONS.items()
        for name in names
    ]
    for entries in _CHIPS:
        for name, meaning in _PRODUCTS.items():
            figures = [
                f"kernels/{entry}/serving/{name}/{precision}"
                for entry in entries
                for precision, names in _PRECISIONS.items()
                if name in names
            ]
            found.append(_factor(f"{meaning} on {entries[0]}, beside what is common", 0.08, *figures))
        figures = [f"kernels/{entry}/serving/decode_share" for entry in entries]
        found.append(_factor(f"rate of decode attention on {entries[0]}, beside what is common", 0.1, *figures))
    return found


def _factor(meaning: str, spread: float, *figures: str) -> Factor:
    return Factor(figures=figures, meaning=meaning, factor=1.0, spread=spread, uncertainty=spread, rows=0)


#: Engine -> release -> figures that it may differ in from the one before.
_RELEASES: Final = {
    "trtllm": {"1.1": ("iteration_s", "prefill_s", "prefill_layer_s", "request_s", "request_token_s")},
}
#: Engine -> kernels entries of chips that it has decode kernels of its own for.
_DECODES: Final = {"trtllm": ("h100",)}


def _releases() -> list[Factor]:
    found = []
    for engine, releases in _RELEASES.items():
        for release, figures in releases.items():
            for name in figures:
                meaning, _, narrow = _ENGINE[name]
                figure = f"engines/{engine}/releases/{release}/{name}"
                found.append(_factor(f"{meaning} from release {release} of {engine} on", 2.0 * narrow, figure))
    for engine, entries in _DECODES.items():
        for entry in entries:
            meaning = f"rate of decode attention in {engine} on {entry}, beside what is common"
            found.append(_factor(meaning, 0.15, f"engines/{engine}/decode_on/{entry}"))
    return found


def engine_parameters() -> tuple[Factor, ...]:
    """All parameters before the fit, each a factor of 1."""
    common = [
        _factor(f"{meaning}, any engine", wide, f"engines/*/{name}") for name, (meaning, wide, _) in _ENGINE.items()
    ]
    own = [
        _factor(f"{meaning} in {engine}, beside what is common", narrow, f"engines/{engine}/{name}")
        for engine in ENGINES
        for name, (meaning, _, narrow) in _ENGINE.items()
    ]
    return (*common, *own, *_releases(), *_kernels())
