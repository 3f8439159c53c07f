"""What published on-device rows describe, in the catalog's names, and the speeds that judge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from myriad import catalog
from myriad.errors import MyriadError
from myriad.estimate.device_load import Load, load
from myriad.estimate.on_device import Work, borrowed, work_of
from myriad.spec.accelerator import Accelerator
from myriad.spec.on_device import ComputeUnit, DraftMethod, RuntimeFit
from myriad.validate.device_rows import DeviceRow

CONTEXT_TOKENS: Final = 512
"""Where a row states none: what llama-bench prefills, and about where it decodes."""
_DRAFTS: Final[dict[str, DraftMethod]] = {"eagle3": "eagle3", "mtp": "mtp", "ssd": "ssd"}
_SSD: Final = re.compile(r"-SSD$")


class SkipRowError(Exception):
    """The row cannot be judged; the text is the reason that is counted."""


@dataclass(frozen=True)
class Case:
    """One row, ready to be estimated."""

    row: DeviceRow
    accelerator_id: str
    accelerator: Accelerator
    model_id: str
    quantisation_id: str
    unit: ComputeUnit
    runtime_name: str
    """Without release and remarks."""
    devices: int
    method: DraftMethod | None
    load: Load
    decode: float | None
    """Measured tokens/s."""
    prefill: float | None
    """Measured tokens/s of the prompt, padding included where a pass has it."""
    measured_from: str

    @property
    def whole_prompt(self) -> bool:
        """Whether its TTFT is that of the whole prompt: one figure, no range that begins with one chunk."""
        return self.row.ttft_s is not None and self.row.ttft_s[0] == self.row.ttft_s[1]

    def work(self, runtime: RuntimeFit) -> Work:
        """What the row decodes and prefills with this runtime."""
        # The context is the depth of llama.cpp's runs; of a batch it counts all prompts; of NPU graphs it is a limit.
        tokens = (self.row.context_tokens or CONTEXT_TOKENS) / self.row.batch
        if runtime.padded and runtime.chunk_tokens and not self.whole_prompt:
            tokens = runtime.chunk_tokens
        return work_of(
            self.load, runtime, context_tokens=tokens, prompt_tokens=tokens, batch=self.row.batch,
            devices=self.devices, drafts=self.method is not None,
        )  # fmt: skip


def runtime_name(text: str) -> str:
    """The runtime without release and remarks.

    >>> runtime_name("llama.cpp (README: batch 1)"), runtime_name("TensorRT Edge-LLM 0.9.0")
    ('llama.cpp', 'TensorRT Edge-LLM')
    """
    return re.sub(r"\s+(\(.*|v?\d[\d.]*)$", "", text).strip()


def runtime_of(case: Case, runtimes: Sequence[RuntimeFit]) -> tuple[RuntimeFit | None, bool]:
    """The figures of the row's runtime on its unit, and whether they are its own; see `borrowed` where not."""
    name = case.runtime_name.lower()
    own = next((one for one in runtimes if case.unit in one.units and one.runtime.lower() == name), None)
    return (own, True) if own else (borrowed(runtimes, case.accelerator, case.accelerator_id, case.unit), False)


def _found(kind: catalog.Kind, *names: str) -> str | None:
    return next((found for name in names if name and (found := catalog.find(kind, name))), None)


def case_of(row: DeviceRow) -> Case:
    """The row in the catalog's names. Raises SkipRowError with the reason where it cannot be judged."""
    many = re.fullmatch(r"(.*?) *\* *(\d+)", row.device)
    device, devices = (many[1], int(many[2])) if many else (row.device, 1)
    accelerator_id = _found("accelerators", device, row.chip)
    if accelerator_id is None:
        raise SkipRowError(f"the catalog has no chip {row.chip or device!r}")
    accelerator = catalog.accelerator(accelerator_id)
    if accelerator.memory_bytes_per_s is None:
        raise SkipRowError(f"the catalog has no memory bandwidth of {accelerator_id}")
    model_id = _found("models", row.model, _SSD.sub("", row.model))
    if model_id is None:
        raise SkipRowError(f"the catalog has no model {row.model!r}")
    quantisation_id = _found("quantisations", row.quantisation, row.quantisation.split(" / ")[0])
    if quantisation_id is None:
        raise SkipRowError(f"quantisation {row.quantisation!r} is not known")
    if "spill" in row.notes and row.quantisation.split("_")[0] in row.notes:
        raise SkipRowError("the source says that the model spilled out of the GPU's memory")
    if row.decode_tokens_per_s is None and row.prefill_tokens_per_s is None and row.ttft_s is None:
        raise SkipRowError("no speed is stated")
    drafting = row.drafting or ("ssd" if _SSD.search(row.model) else "")
    if drafting and drafting.lower() not in _DRAFTS:
        raise SkipRowError(f"drafting by {drafting!r} is not known")
    if row.context_tokens is not None and row.context_tokens < row.batch:
        raise SkipRowError("fewer prompt tokens than sequences")
    try:
        one = load(catalog.model(model_id), catalog.quantisation(quantisation_id))
    except MyriadError as error:
        raise SkipRowError(str(error)) from None
    prefill, said = row.prefill_tokens_per_s, "tokens/s as printed"
    if prefill is None and row.ttft_s is not None:
        least_s, most_s = row.ttft_s
        prefill, said = FIRST_CHUNK_TOKENS / least_s, "a chunk of 128 tokens over the least TTFT"
        if least_s == most_s:
            prefill, said = (row.context_tokens or CONTEXT_TOKENS) / least_s, "tokens of the prompt over TTFT"
    return Case(
        row, accelerator_id, accelerator, model_id, quantisation_id, row.unit or "gpu", runtime_name(row.runtime),
        devices, _DRAFTS.get(drafting.lower()), one, row.decode_tokens_per_s, prefill, said,
    )  # fmt: skip


def judged_cases(rows: Iterable[DeviceRow]) -> tuple[list[Case], dict[str, tuple[str, ...]]]:
    """The rows that can be judged, and reason -> ids of those that cannot."""
    cases: list[Case] = []
    skipped: dict[str, tuple[str, ...]] = {}
    for row in rows:
        try:
            cases.append(case_of(row))
        except SkipRowError as reason:
            skipped[str(reason)] = (*skipped.get(str(reason), ()), row.id)
    return cases, skipped


FIRST_CHUNK_TOKENS: Final = 128
"""Prompt tokens of one pass on Qualcomm's NPU; the least TTFT of its tables is one such pass."""


def prefilled_tokens(case: Case, runtime: RuntimeFit) -> float:
    """Prompt tokens, of all sequences, that the measured prefill rate counts.

    Where a padded chunk takes its time whatever the prompt, tables print the rate of a short prompt in it: the
    tokens are rate x least TTFT. All else counts what is computed.
    """
    row = case.row
    if case.whole_prompt:
        return float(row.context_tokens or CONTEXT_TOKENS)
    if runtime.padded and row.prefill_tokens_per_s is not None and row.ttft_s is not None:
        return row.prefill_tokens_per_s * row.ttft_s[0]
    if runtime.padded:
        return float(runtime.chunk_tokens or FIRST_CHUNK_TOKENS)
    return float(row.context_tokens or CONTEXT_TOKENS)


def shape(case: Case) -> tuple[float, ...]:
    """What makes two models the same to a device: a model and what was tuned from it."""
    return (float(case.load.layers), case.load.flops_per_token, case.load.cache_bytes(1.0))
