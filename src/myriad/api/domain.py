"""The domain of validity: what the shipped measurements cover, and where an estimate leaves it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from myriad import catalog
from myriad.estimate.setting import Setting
from myriad.spec.layout import Layout
from myriad.spec.model import CompressedAttention, GatedDeltaNet, MixtureOfExperts, Model
from myriad.validate.rows import shipped_rows


@dataclass(frozen=True)
class Domain:
    """What published training runs cover."""

    gpus: dict[str, int]
    """Accelerator id -> largest number checked."""
    precisions: frozenset[tuple[str, str]]
    """(accelerator id, precision family) checked."""
    longest_sequence: int


def _family(precision: str) -> str:
    """Precisions that share a matrix rate and, for this purpose, a record."""
    for start, family in (("nvfp4", "fp4"), ("mxfp8", "fp8"), ("fp8", "fp8"), ("fp16", "bf16"), ("bf16", "bf16")):
        if precision.strip().startswith(start):
            return family
    return precision


@lru_cache(maxsize=1)
def checked_domain() -> Domain:
    """The domain of the shipped rows that are fit to judge with."""
    gpus: dict[str, int] = {}
    precisions: set[tuple[str, str]] = set()
    longest = 0
    rows = [row for row in shipped_rows() if row.quality == "primary"]
    ids = {name: catalog.find("accelerators", name) for name in {row.accelerator for row in rows}}
    for row in rows:
        accelerator = ids[row.accelerator]
        if accelerator is None:
            continue
        gpus[accelerator] = max(gpus.get(accelerator, 0), row.num_gpus or 0)
        precisions.add((accelerator, _family(row.precision)))
        longest = max(longest, row.seq_len or 0)
    return Domain(gpus, frozenset(precisions), longest)


def caveats(setting: Setting, layout: Layout) -> tuple[str, ...]:
    """Sentences on where an estimate leaves what it was checked on; empty if it does not."""
    domain = checked_domain()
    chip, chip_id = setting.cluster.accelerator.name, setting.cluster.accelerator_id
    found = []
    if not setting.device.calibrated:
        found.append(f"no measured kernel times for {chip}: default efficiencies, expect a wider error")
    largest = domain.gpus.get(chip_id)
    if largest is None:
        found.append(f"no published training run on {chip} among those that the estimate was checked on")
    elif layout.world_size > largest:
        found.append(f"{layout.world_size:,} accelerators; the largest run checked on {chip} had {largest:,}")
    if largest is not None and (chip_id, _family(setting.work.precision)) not in domain.precisions:
        found.append(f"{setting.work.precision} was not checked on {chip}")
    if setting.work.seq_len > domain.longest_sequence:
        found.append(f"sequence {setting.work.seq_len:,}; the longest checked is {domain.longest_sequence:,}")
    if layout.schedule != "1f1b":
        found.append(f"the {layout.schedule} schedule is a closed form from its paper; no run with it was checked")
    if any(link.tier == "scale-up" and link.domain < layout.tp for link in setting.cluster.links):
        found.append("tensor parallelism beyond the scale-up domain was not checked")
    return tuple(found) + model_caveats(setting.model)


def model_caveats(model: Model) -> tuple[str, ...]:
    """What about the model itself is outside the checked domain."""
    found = []
    if model.stands_in_for:
        found.append(f"{model.name}: its own configuration is not public; stands in: {model.stands_in_for}")
    mixers = {type(block.mixer) for block in model.blocks.values()}
    if mixers & {GatedDeltaNet, CompressedAttention}:
        found.append("linear and compressed attention are estimated from their FLOPs and bytes; no run was checked")
    experts = [b.feed_forward.experts for b in model.blocks.values() if isinstance(b.feed_forward, MixtureOfExperts)]
    if experts and max(experts) > 256:
        found.append(f"{max(experts)} experts; the most checked are 256")
    return tuple(found)
