"""The parameters of training estimates that are fitted to measured runs: what each means, how far it may move.

Every parameter is a factor on figures of the catalog that were assumed or derived: of an accelerator's
kernels, of a software, or of one release of it. None belongs to a model or to a run. A parameter of `*`
is common to all entries, so that what the runs of one software teach about all reaches those that no run
was published of; an entry's own parameter is what it differs by.
"""

from __future__ import annotations

from typing import Final

from myriad.spec.fitted import Factor

EIGHT_BITS: Final = ("fp8", "mxfp8", "fp8-block")
SIXTEEN_BITS: Final = ("bf16",)
FOUR_BITS: Final = ("nvfp4",)

_MATRIX = "rate of matrix products in training over that of isolated ones"
_ATTENTION = "rate of attention in training, forward and backward, over that of isolated forward kernels"


def _factor(meaning: str, spread: float, *figures: str) -> Factor:
    return Factor(figures=figures, meaning=meaning, factor=1.0, spread=spread, uncertainty=spread, rows=0)


def _shares(entries: tuple[str, ...], precisions: tuple[str, ...]) -> list[str]:
    return [f"kernels/{entry}/training_share/{precision}" for entry in entries for precision in precisions]


def _common() -> list[Factor]:
    return [
        _factor(f"{_MATRIX}, 16 bits", 0.1, *_shares(("*",), SIXTEEN_BITS)),
        _factor(f"{_MATRIX}, 8 bits", 0.1, *_shares(("*",), EIGHT_BITS)),
        _factor(f"{_MATRIX}, 4 bits", 0.15, *_shares(("*",), FOUR_BITS)),
        _factor(_ATTENTION, 0.15, "kernels/*/attention_training_share"),
        _factor("rate of chunked scans over that of attention", 0.5, "kernels/*/scan_share"),
        _factor(
            "rate of routed experts over that of the accelerator's grouped products", 0.25, "stacks/*/expert_share"
        ),
        _factor("time of element-wise work over that of fused streams", 0.5, "stacks/*/stream_passes"),
        _factor("exposed tensor-parallel time over that of the collectives alone", 0.3, "stacks/*/stretch/tp"),
        _factor("exposed expert exchange over that of the collectives alone", 0.3, "stacks/*/stretch/ep"),
        _factor("exposed pipeline transfers over those alone", 0.3, "stacks/*/stretch/pp"),
        _factor("exposed data-parallel time over that of the collectives alone", 0.4, "stacks/*/stretch/dp"),
        _factor("time of quantisation over that of its traffic", 0.5, "stacks/*/quantise_passes"),
        _factor("host time per kernel", 0.4, "stacks/*/host_s_per_kernel"),
        _factor("host time per quantising module", 0.25, "stacks/*/host_s_per_wrapper"),
        _factor("share of the expert exchange hidden where that is switched on", 0.1, "stacks/*/expert_overlap"),
    ]


#: Kernels entries of one chip design -> precisions of its runs.
_CHIPS: Final[tuple[tuple[tuple[str, ...], tuple[tuple[str, ...], ...]], ...]] = (
    (("a100",), (SIXTEEN_BITS,)),
    (("h100", "h100-500w"), (SIXTEEN_BITS, EIGHT_BITS)),
    (("b200",), (SIXTEEN_BITS, EIGHT_BITS, FOUR_BITS)),
    (("gb200",), (SIXTEEN_BITS, EIGHT_BITS, FOUR_BITS)),
    (("gb300",), (SIXTEEN_BITS, EIGHT_BITS, FOUR_BITS)),
)


def _accelerators() -> list[Factor]:
    found = []
    for entries, precisions in _CHIPS:
        for bits in precisions:
            meaning = f"{_MATRIX} on {entries[0]}, {bits[0]}, beside what is common"
            found.append(_factor(meaning, 0.06, *_shares(entries, bits)))
        figures = [f"kernels/{entry}/attention_training_share" for entry in entries]
        found.append(_factor(f"{_ATTENTION} on {entries[0]}, beside what is common", 0.1, *figures))
    return found


#: Software -> what its runs can tell apart.
_SOFTWARE: Final[dict[str, tuple[str, ...]]] = {
    "automodel": ("gemm", "experts"),
    "bigscience": ("gemm", "streams", "tp", "pp", "dp"),
    "fsdp": ("gemm", "attention", "streams", "dp"),
    "internevo": ("gemm", "tp", "dp"),
    "maxtext": ("gemm", "attention", "streams", "dp"),
    "megatron-bridge": ("gemm", "attention", "streams", "experts", "tp", "ep", "host"),
    "megatron-core": ("gemm", "attention", "streams", "experts", "tp", "ep"),
    "megatron-lm-2021": ("gemm", "tp"),
    "nemo": ("gemm", "attention", "streams", "tp", "dp"),
    "torchtitan": ("gemm", "attention", "tp", "dp"),
}
_KINDS: Final[dict[str, tuple[str, str, float]]] = {
    "gemm": ("gemm_share", "rate of matrix products", 0.05),
    "attention": ("attention_share", "rate of attention", 0.12),
    "experts": ("expert_share", "rate of routed experts", 0.15),
    "streams": ("stream_passes", "time of element-wise work", 0.25),
    "tp": ("stretch/tp", "exposed tensor-parallel time", 0.3),
    "ep": ("stretch/ep", "exposed expert exchange", 0.3),
    "pp": ("stretch/pp", "exposed pipeline transfers", 0.3),
    "dp": ("stretch/dp", "exposed data-parallel time", 0.4),
    "host": ("host_s_per_kernel", "host time per kernel", 0.3),
}


def _software() -> list[Factor]:
    found = []
    for stack, kinds in _SOFTWARE.items():
        for kind in kinds:
            figure, meaning, spread = _KINDS[kind]
            found.append(_factor(f"{meaning} in {stack}, beside what is common", spread, f"stacks/{stack}/{figure}"))
    return found


#: Software -> releases that differ in matrix products, and those that differ in routed experts.
_RELEASES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "megatron-bridge": (
        ("25.09", "25.11", "26.02", "26.04", "26.06", "26.08"),
        ("25.09", "25.11"),
    ),
    "nemo": (("24.03", "24.07", "24.09", "24.11", "25.02", "25.04", "25.05"), ()),
}


def _releases() -> list[Factor]:
    found = []
    for stack, (products, experts) in _RELEASES.items():
        for release in products:
            figure = f"stacks/{stack}/releases/{release}/gemm_share"
            found.append(_factor(f"rate of matrix products in release {release} of {stack}", 0.04, figure))
        for release in experts:
            figure = f"stacks/{stack}/releases/{release}/expert_share"
            found.append(_factor(f"rate of routed experts in release {release} of {stack}", 0.2, figure))
    return found


def parameters() -> tuple[Factor, ...]:
    """All parameters before the fit, each a factor of 1."""
    return (*_common(), *_accelerators(), *_software(), *_releases())
