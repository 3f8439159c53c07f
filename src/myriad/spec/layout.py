"""The layout: how one training job is spread over accelerators, one by one or as columns of many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import field_validator, model_validator

from myriad.errors import SpecError, unknown_name
from myriad.spec.base import Count, CountOrZero, Spec
from myriad.spec.split import parse_split, split_text

IntArray = npt.NDArray[np.int64]

#: Activations that can be recomputed in the backward pass, after Megatron-Core's `--recompute-modules`,
#: with `full` for whole layers; `every_other_product` keeps a layer's input, the outputs of attention and of
#: every second matrix product, and recomputes the rest (torchtitan's selective checkpointing by operation).
#: A selection is stored as a bit mask.
RECOMPUTE_MODULES: tuple[str, ...] = (
    "core_attn", "layernorm", "mlp", "moe", "moe_act", "mla_up_proj", "shared_experts", "full", "every_other_product",
)  # fmt: skip
RECOMPUTE_ALIASES: dict[str, tuple[str, ...]] = {"none": (), "selective": ("core_attn",), "full": ("full",)}

#: `zero-bubble` is ZB-H1 (arXiv 2401.10241), with chunks PyTorch's InterleavedZeroBubble; `zb-v` is ZBVZeroBubble.
PIPELINE_SCHEDULES = ("1f1b", "gpipe", "zero-bubble", "dualpipe", "zb-v")
RANK_ORDERS = ("tp-cp-ep-dp-pp", "tp-cp-ep-pp-dp")


def recompute_mask(modules: Iterable[str]) -> int:
    """The bit mask of a selection of modules.

    >>> recompute_mask(["core_attn", "moe_act"])
    17
    """
    mask = 0
    for module in modules:
        if module not in RECOMPUTE_MODULES:
            raise SpecError(
                unknown_name("recompute module", module, {**RECOMPUTE_ALIASES, **dict.fromkeys(RECOMPUTE_MODULES)})
            )
        mask |= 1 << RECOMPUTE_MODULES.index(module)
    return mask


def recompute_modules(mask: int) -> tuple[str, ...]:
    """The modules of a bit mask, in the order of `RECOMPUTE_MODULES`.

    >>> recompute_modules(17)
    ('core_attn', 'moe_act')
    """
    return tuple(m for i, m in enumerate(RECOMPUTE_MODULES) if mask >> i & 1)


class Layout(Spec):
    """One layout. World size is `tp * cp * pp * dp`; experts are spread over `ep * etp` of `tp * cp * dp`."""

    tp: Count = 1
    """Tensor parallel size."""
    sp: bool = True
    """Sequence parallelism: norms and residuals split over the tensor-parallel group."""
    pp: Count = 1
    """Pipeline stages."""
    vpp: Count = 1
    """Model chunks per stage (interleaved schedule); 1 is plain 1F1B."""
    split: tuple[int, ...] = ()
    """Layers per chunk, first to last, `7,8*14,7` for short: `pp * vpp` numbers, chunk c on stage c mod pp; empty is
    the software's own rule. Prediction depths lie with the head, unless the numbers count them too, as the last."""
    cp: Count = 1
    """Context parallel size: the sequence is split over this many ranks."""
    ep: Count = 1
    """Expert parallel size."""
    etp: Count = 1
    """Tensor parallel size within an expert."""
    dp: Count = 1
    """Data parallel replicas."""
    zero: Literal[0, 1, 2, 3] = 1
    """What data parallelism shards: 0 nothing (DDP), 1 optimizer states, 2 also gradients, 3 also parameters (FSDP)."""
    shard: CountOrZero = 0
    """Ranks that one copy is sharded over; fewer than all is hybrid sharding (HSDP). 0 means all of `dp * cp`."""
    micro_batch: Count = 1
    """Sequences per micro-batch and replica."""
    recompute: tuple[str, ...] = ()
    """Recomputed modules: `none`, `selective` (core attention), `full`, or a list of `RECOMPUTE_MODULES`."""
    offload_optimizer: bool = False
    """Optimizer states in host memory."""
    schedule: Literal["1f1b", "gpipe", "zero-bubble", "dualpipe", "zb-v"] = "1f1b"
    order: Literal["tp-cp-ep-dp-pp", "tp-cp-ep-pp-dp"] = "tp-cp-ep-dp-pp"
    """Rank order, fastest-varying first: groups named first get the nearest links."""

    @field_validator("recompute", mode="before")
    @classmethod
    def _canonical_recompute(cls, value: object) -> object:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) for n in names):
            raise ValueError(f"expected none, selective, full or a list of modules, found {value!r}")
        modules = [m for n in names for m in RECOMPUTE_ALIASES.get(n, (n,))]
        return recompute_modules(recompute_mask(modules))

    @field_validator("split", mode="before")
    @classmethod
    def _split_of_text(cls, value: object) -> object:
        return parse_split(value)

    @model_validator(mode="after")
    def _chunks_need_stages(self) -> Layout:
        if self.vpp > 1 and self.pp == 1:
            raise ValueError("vpp above 1 needs pp above 1")
        if self.schedule == "zb-v" and self.vpp != 2:
            raise ValueError(f"schedule zb-v has two chunks per stage: expected vpp 2, found {self.vpp}")
        return self

    @model_validator(mode="after")
    def _split_fills_chunks(self) -> Layout:
        chunks = self.pp * self.vpp
        if self.split and len(self.split) != chunks:
            stages = f"pp {self.pp}" + (f" x vpp {self.vpp}" if self.vpp > 1 else "")
            raise ValueError(f"split has length {len(self.split)}; {stages} has {chunks} chunks")
        if 0 in self.split[1:-1]:
            raise ValueError("split may leave only the first and the last chunk without layers")
        return self

    @property
    def world_size(self) -> int:
        return self.tp * self.cp * self.pp * self.dp

    def num_micro_batches(self, global_batch: int) -> int:
        """Micro-batches of a step and replica."""
        return max(global_batch // (self.dp * self.micro_batch), 1)

    def without_split(self) -> Layout:
        """The same layout with layers placed by the software's own rule."""
        return self.model_copy(update={"split": ()}) if self.split else self

    def text(self) -> str:
        """A short name such as `TP8 CP2 PP16x5 DP64 EP8 ZeRO-1 mb1 selective`."""
        parts = [f"TP{self.tp}"]
        parts += [f"CP{self.cp}"] if self.cp > 1 else []
        parts += [f"PP{self.pp}" + (f"x{self.vpp}" if self.vpp > 1 else "")]
        parts += [f"split({split_text(self.split)})"] if self.split else []
        parts += [f"DP{self.dp}"]
        parts += [f"EP{self.ep}"] if self.ep > 1 else []
        parts += [f"ETP{self.etp}"] if self.etp > 1 else []
        parts += [f"ZeRO-{self.zero}" + (f"/{self.shard}" if self.shard else "")]
        parts += [f"mb{self.micro_batch}"]
        parts += ["+".join(self.recompute)] if self.recompute else []
        parts += ["offload"] if self.offload_optimizer else []
        parts += [self.schedule] if self.schedule != "1f1b" else []
        return " ".join(parts)


@dataclass(frozen=True)
class LayoutTable:
    """Many layouts as columns of equal length C, one per field of `Layout` but `split`: layers lie by the own rule."""

    tp: IntArray
    sp: IntArray
    pp: IntArray
    vpp: IntArray
    cp: IntArray
    ep: IntArray
    etp: IntArray
    dp: IntArray
    zero: IntArray
    shard: IntArray
    micro_batch: IntArray
    recompute: IntArray
    """Bit masks over `RECOMPUTE_MODULES`."""
    offload_optimizer: IntArray
    schedule: IntArray
    """Index into `PIPELINE_SCHEDULES`."""
    order: IntArray
    """Index into `RANK_ORDERS`."""

    def __len__(self) -> int:
        return len(self.tp)

    def num_micro_batches(self, global_batch: int) -> IntArray:
        """Micro-batches of a step and replica, (C,)."""
        number: IntArray = np.maximum(global_batch // (self.dp * self.micro_batch), 1)
        return number

    @classmethod
    def from_layouts(cls, layouts: Sequence[Layout]) -> LayoutTable:
        """The columns of these layouts. Raises SpecError for one with a split, which no column holds."""
        for layout in layouts:
            if layout.split:
                raise SpecError(f"layout {layout.text()}: a table of layouts cannot hold a split")

        def column(name: str) -> IntArray:
            match name:
                case "recompute":
                    values = [recompute_mask(x.recompute) for x in layouts]
                case "schedule":
                    values = [PIPELINE_SCHEDULES.index(x.schedule) for x in layouts]
                case "order":
                    values = [RANK_ORDERS.index(x.order) for x in layouts]
                case _:
                    values = [int(getattr(x, name)) for x in layouts]
            return np.array(values, dtype=np.int64)

        return cls(**{f.name: column(f.name) for f in fields(cls)})

    def row(self, index: int) -> Layout:
        values = {f.name: int(getattr(self, f.name)[index]) for f in fields(self)}
        return Layout.model_validate(
            values
            | {
                "sp": bool(values["sp"]),
                "offload_optimizer": bool(values["offload_optimizer"]),
                "recompute": recompute_modules(values["recompute"]),
                "schedule": PIPELINE_SCHEDULES[values["schedule"]],
                "order": RANK_ORDERS[values["order"]],
            }
        )

    def take(self, index: npt.NDArray[np.int64] | npt.NDArray[np.bool_] | slice) -> LayoutTable:
        if isinstance(index, np.ndarray) and index.dtype == bool:
            index = np.flatnonzero(index)  # once, not for every column
        return LayoutTable(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def distinct(self, *columns: str) -> Distinct:
        """The rows that differ in the given columns, in the order in which they are first met."""
        return distinct([getattr(self, name) for name in columns])

    @classmethod
    def concat(cls, tables: Sequence[LayoutTable]) -> LayoutTable:
        return cls(**{f.name: np.concatenate([getattr(t, f.name) for t in tables]) for f in fields(cls)})


@dataclass(frozen=True)
class Distinct:
    """Rows that differ in what one step of a computation looks at."""

    first: IntArray
    """Where each is first met, (D,)."""
    index: IntArray
    """For every row which of them it equals, (C,)."""


def distinct(columns: Sequence[IntArray]) -> Distinct:
    """The rows of these columns of non-negative values that differ, in the order in which they are first met."""
    key, size = np.zeros(len(columns[0]), dtype=np.int64), 1
    for values in columns:
        width = int(values.max(initial=0)) + 1
        if width == 1:
            continue
        if size * width > _LONGEST_TABLE:
            (key, size), (values, width) = _numbered(key, size), _numbered(values, width)
        key, size = key * width + values, size * width
    return _first_of_each(key, size)


_LONGEST_TABLE = 1 << 22


def _numbered(values: IntArray, size: int) -> tuple[IntArray, int]:
    """The values below `size` numbered from 0 on without gaps, and how many differ."""
    found = _first_of_each(values, size)
    return found.index, len(found.first)


def _first_of_each(values: IntArray, size: int) -> Distinct:
    """Where each value below `size` is first met, and for every value which of those it is.

    Up to a size a table finds the first, of which only what is written is ever touched: an eighth of the time of
    sorting.
    """
    rows = np.arange(len(values))
    if size > max(_LONGEST_TABLE, 4 * len(values)):
        _, first, index = np.unique(values, return_index=True, return_inverse=True)
        order = np.argsort(first)
        return Distinct(first[order], np.argsort(order)[index])
    table = np.empty(size, dtype=np.int64)
    table[values[::-1]] = rows[::-1]  # of equal values the last written stays: the first
    found = table[values]
    is_first = found == rows
    return Distinct(np.flatnonzero(is_first), (np.cumsum(is_first) - 1)[found])
