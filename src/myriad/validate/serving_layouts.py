"""Layouts of replicas from the texts that publishers write: `tp8 ep8 aggregated`, `attention-dp4 ep4 pp1`, ..."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from myriad.spec.model import GatedDeltaNet, MixtureOfExperts, Model
from myriad.spec.serving import ServingLayout
from myriad.validate.errors import SkipError

_SIZE: Final = re.compile(r"(?:\b(moe)-)?\b(?:attn-|attention-)?(tp|pp|dp|ep)[ =:_-]?(\d+)\b", re.IGNORECASE)
_DISAGGREGATED: Final = re.compile(
    r"prefill (\d+|\?) ?x ?\((?P<prefill>[^()]*)\).*decode (\d+|\?) ?x ?\((?P<decode>[^()]*)\)", re.IGNORECASE
)


@dataclass(frozen=True)
class Sizes:
    """The sizes that a text names; 0 where it names none. Engines write 0 for what a dense model lacks."""

    tp: int = 0
    pp: int = 0
    dp: int = 0
    ep: int = 0
    moe_tp: int = 0

    @property
    def ranks(self) -> int:
        """Ranks of one stage."""
        return max(self.tp, 1) * max(self.dp, 1)

    def over(self, factor: int) -> Sizes:
        """With the ranks that attention is cut or copied over divided by `factor`, and experts accordingly."""
        tp, dp = (self.tp, self.dp // factor) if self.dp > 1 else (self.tp // factor, self.dp)
        return Sizes(tp=tp, pp=self.pp, dp=dp, ep=self.ep, moe_tp=0)

    def layout(self, model: Model) -> ServingLayout:
        """The layout of one replica. Raises SkipError where no replica can be cut so."""
        routed = any(isinstance(block.feed_forward, MixtureOfExperts) for block in model.blocks.values())
        ep = max(self.ep, 1) if routed else 1
        if self.ranks % ep:
            raise SkipError("the row contradicts itself: ep does not divide tp x dp")
        if routed and self.ep and self.moe_tp and self.moe_tp * self.ep != self.ranks:
            raise SkipError("the row contradicts itself: moe-tp x ep is not tp x dp")
        if any(heads % max(self.tp, 1) for heads in _heads(model)):
            raise SkipError("no replica can be cut so: tp does not divide the attention heads")
        return ServingLayout(tp=max(self.tp, 1), pp=max(self.pp, 1), dp=max(self.dp, 1), ep=ep)


def _heads(model: Model) -> set[int]:
    mixers = [block.mixer for block in model.blocks.values() if block.mixer is not None]
    return {mixer.value_heads if isinstance(mixer, GatedDeltaNet) else mixer.heads for mixer in mixers}


def sizes_of(text: str) -> Sizes:
    """The sizes named in a text.

    >>> sizes_of("tp8 pp1 attn-dp1 moe-tp2 ep4 aggregated")
    Sizes(tp=8, pp=1, dp=1, ep=4, moe_tp=2)
    >>> sizes_of("attention-dp4 ep4 pp1 aggregated")
    Sizes(tp=0, pp=1, dp=4, ep=4, moe_tp=0)
    """
    found = {("moe_" if moe else "") + name.lower(): int(size) for moe, name, size in _SIZE.findall(text)}
    return Sizes(**{name: size for name, size in found.items() if name in Sizes.__dataclass_fields__})


@dataclass(frozen=True)
class SomeReplicas:
    """Equal replicas, as a text names them."""

    sizes: Sizes
    count: int


def disaggregated(text: str) -> tuple[SomeReplicas, SomeReplicas] | None:
    """The replicas that prefill and those that decode; `None` if aggregated.

    Raises SkipError where the source leaves open how many there are of each.
    """
    if not re.search(r"disagg", text, re.IGNORECASE):
        return None
    match = _DISAGGREGATED.search(text)
    if match is None:
        raise SkipError("disaggregated, but the source does not say how")
    if "?" in (match[1], match[3]):
        raise SkipError("disaggregated, but the source does not say how many replicas prefill and decode")
    return (
        SomeReplicas(sizes_of(match["prefill"]), int(match[1])),
        SomeReplicas(sizes_of(match["decode"]), int(match[3])),
    )
