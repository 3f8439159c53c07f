"""Inference on one device: how weights are stored, what was fitted of runtimes, and what comes out."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from myriad.spec.base import Bytes, Count, Fraction, Seconds, Spec, Watts

ComputeUnit = Literal["cpu", "gpu", "npu"]
"""The part of a chip that computes; all share one memory."""
COMPUTE_UNITS: tuple[ComputeUnit, ...] = get_args(ComputeUnit)

DraftMethod = Literal["eagle3", "mtp", "ssd"]
"""How tokens are drafted: EAGLE-3 trees, multi-token prediction, self-speculative decoding with a tuned prefix."""
DRAFT_METHODS: tuple[DraftMethod, ...] = get_args(DraftMethod)

Bits = float


class Quantisation(Spec):
    """Bits per weight of a stored model, scales included, by part."""

    name: str
    body_bits: Bits = Field(gt=0)
    """Of the layers' matrices."""
    expert_bits: Bits | None = None
    """Of routed experts; `None`: as the body."""
    head_bits: Bits = Field(gt=0)
    """Of the output head, tied or not: it is read in full for every token."""
    embedding_bits: Bits = Field(gt=0)
    """Of embedding tables, of which a token reads one row."""
    cache_bits: Bits = 16.0
    """Of one cached key or value."""


Rate = Literal["weights", "cache", "layer", "recurrent", "compute", "attention", "scan", "sequence", "padding", "hop",
               "spread", "draft", "check", "accepted"]  # fmt: skip
"""What a fitted figure says:

- `weights`, `cache`: bytes/s at which weights and cached keys and values are read, over the memory bandwidth;
- `layer`, `recurrent`: seconds of every layer that reads take no part in, and those that a recurrent mixer adds;
- `compute`: FLOP/s of prefill over the runtime's reference; `attention`: FLOP/s of attention cores over the same;
- `scan`: seconds that a recurrent mixer takes for one token of a prompt;
- `sequence`: work of a further sequence in a decoding pass, in prefilled tokens; `padding`: tokens that a further
  prompt in a batch is padded by;
- `hop`: seconds that a further accelerator adds to a pass; `spread`: exponent of their number in prefill's rate;
- `draft`, `check`: passes that drafting takes, and tokens (as prefilled ones) that checking the drafts takes;
- `accepted`: tokens per pass where a source does not say.
"""


class DeviceFactor(Spec):
    """One fitted figure; it counts for all rows of the runtime unless narrowed to a chip, quantisation or method."""

    rate: Rate
    quantisation: str | None = None
    accelerator: str | None = None
    method: DraftMethod | None = None
    value: float = Field(gt=0)
    """A figure for all rows; a factor on it where narrowed to a chip or quantisation."""
    prior: float = Field(gt=0)
    spread: float = Field(gt=0)
    """Standard deviation of its logarithm before the fit."""
    rows: int = Field(ge=0)
    """Measured speeds that it has an effect on."""


class DeviceErrors(Spec):
    """Median, mean and 90th percentile of absolute errors, predicted / measured - 1."""

    rows: int
    median: float
    mean: float
    p90: float
    within: float
    """Four of five measured speeds lie within this factor of the predicted one."""


class DeviceGroup(Spec):
    """Errors of some rows; `None` where none states such a speed."""

    decode: DeviceErrors | None = None
    prefill: DeviceErrors | None = None


class RuntimeFit(Spec):
    """One runtime on one kind of compute unit, with what was fitted of it."""

    runtime: str
    units: tuple[ComputeUnit, ...] = Field(min_length=1)
    """Kinds of units that share these figures."""
    reference: Literal["memory", "peak"]
    """What compute rates are shares of: `peak` the chip's 16-bit rate; `memory` so many FLOP per byte of bandwidth,
    for units whose peak no maker publishes."""
    chunk_tokens: Count | None = None
    """Prompt tokens of one pass; `None`: the whole prompt."""
    padded: bool = False
    """Whether a pass takes the time of a full chunk whatever the tokens in it."""
    factors: tuple[DeviceFactor, ...]
    accelerators: dict[str, int]
    """Chip -> rows fitted."""
    quantisations: dict[str, int]
    errors: dict[str, DeviceGroup]
    """`fitted`, and of rows whose `model` or `chip` was left out."""

    @property
    def rows(self) -> int:
        """Rows fitted."""
        return sum(self.accelerators.values())


class DeviceFit(Spec):
    """The calibration of on-device speeds, see `myriad.calibrate`."""

    version: Literal[1] = Field(alias="schema")
    title: str
    fitted_on: str
    fitted_by: str
    rows: int
    errors: dict[str, DeviceGroup]
    """As of each runtime, over all of them."""
    runtimes: tuple[RuntimeFit, ...]


class DeviceUse(Spec):
    """What is asked of a device."""

    prompt_tokens: Count = 512
    output_tokens: Count = 128
    batch: Count = 1
    devices: Count = 1
    """Equal chips that hold consecutive layers."""
    runtime: str | None = None
    """`None`: every one that was fitted there; likewise below."""
    unit: ComputeUnit | None = None
    quantisation: str | None = None
    memory: Bytes | None = None
    """Of one device, where the catalog leaves it to the buyer."""
    power: Watts | None = None
    """While it answers; `None`: the thermal design power of the catalog, if any."""


class CloudOffer(Spec):
    """How the cloud answers, and its price."""

    round_trip: Seconds
    """Between device and cloud."""
    ttft: Seconds
    tpot: Seconds
    usd_per_input_token: float = Field(ge=0)
    usd_per_output_token: float = Field(ge=0)


class DeviceSpeed(Spec):
    """Speeds of one model on one device, with where they come from."""

    model: str
    device: str
    runtime: str
    unit: ComputeUnit
    quantisation: str
    devices: Count = 1
    batch: Count = 1
    prompt_tokens: Count
    output_tokens: Count
    ttft_s: float
    """Time to the first token: the whole prompt."""
    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    """Of all sequences, in the mean over the output."""
    answer_s: float
    """Prompt and all output tokens."""
    decode_within: float
    """Four of five models, or chips where this one is not `calibrated`, that the fit had not seen lie within this
    factor of their estimate."""
    prefill_within: float | None
    """`None` where no prefill of the runtime was measured."""
    calibrated: bool
    """Whether the runtime was fitted on this chip."""
    memory_bytes: float
    """Weights as stored, and the cache at the end of the answer."""
    usable_memory_bytes: float | None
    """`None` where the catalog does not know the memory."""
    fits: bool | None
    power_watts: float | None
    power_from: str
    answer_joules: float | None


class DeviceOrCloud(Spec):
    """One answer from a device and from the cloud."""

    device_s: float
    cloud_s: float
    device_ttft_s: float
    cloud_ttft_s: float
    device_joules: float | None
    device_usd: float | None
    cloud_usd: float
    faster: Literal["device", "cloud"]
    cheaper: Literal["device", "cloud"] | None
    break_even_output_tokens: float | None
    """The device is faster up to so many output tokens, or from so many on if `device_gains`; `None`: always one."""
    device_gains: bool
    """Whether each further token is quicker on the device."""


class DeviceRowResult(Spec):
    """One measured row and its estimate."""

    id: str
    source: str
    device: str
    accelerator: str
    device_class: str
    model: str
    quantisation: str
    runtime: str
    unit: str
    measured: dict[str, float | None]
    """`decode` and `prefill`, tokens/s as judged."""
    predicted: dict[str, float | None]
    errors: dict[str, float | None]
    """predicted / measured - 1; `None` where the row states nothing."""
    measured_from: str
    calibrated: bool


DEVICE_GROUPS = ("runtime and unit", "accelerator", "device class", "quantisation", "model", "source")


class DeviceValidation(Spec):
    """The judgement of on-device estimates; `per_row` has the largest errors first."""

    rows: int
    predicted: int
    skipped: dict[str, tuple[str, ...]]
    """Reason -> ids of the rows."""
    overall: DeviceGroup
    groups: dict[str, dict[str, DeviceGroup]]
    """By `DEVICE_GROUPS` -> name -> errors."""
    noise: dict[str, DeviceGroup]
    """How far rows lie apart that the estimate takes for equal: `repeated` on one unit, `cpu and gpu` of one chip."""
    fitted: dict[str, DeviceGroup]
    """Errors of the shipped calibration: in sample, and with models and chips left out."""
    per_row: tuple[DeviceRowResult, ...]


USABLE_MEMORY_FRACTION: Fraction = 0.75
"""Share of a device's shared memory that a model may take; Metal's default working set on Apple's chips is this."""
