"""One job over several pools, in words."""

from __future__ import annotations

from myriad.report.language import Language
from myriad.report.numbers import Numbers
from myriad.spec.mixed import MixedEstimate, MixPart, MixResult
from myriad.units import format_si


def mix_step(best: MixedEstimate, words: Language, numbers: Numbers) -> str:
    """How long a step takes, as the beginning of a sentence."""
    tokens, step = numbers.large(best.tokens_per_step), numbers.seconds(best.step_s)
    return words("words.mix_step", tokens=tokens, step=step)


def mix_pace(best: MixedEstimate, words: Language, numbers: Numbers) -> str:
    """Step and rate in a sentence."""
    step = mix_step(best, words, numbers)
    return words("words.rate", step=step, rate=numbers.large(best.tokens_per_s))


def mix_words(result: MixResult, words: Language, numbers: Numbers) -> list[str]:
    """The best join in sentences: gain over one pool, bound, link; then the other join."""
    best = result.best
    said = [
        _gain(best, words, numbers),
        words("words.mix_bound", bound=numbers.large(best.bound_tokens_per_s), share=numbers.percent(best.of_bound)),
        words("words.mix_link", bytes=format_si(best.cross_bytes, "B"), seconds=numbers.seconds(best.cross_s)),
    ]
    if best.extra_micro_batches:
        said.append(words("words.mix_extra", count=best.extra_micro_batches))
    for other in result.joined[1:]:
        share, step = numbers.percent(other.of_bound), numbers.seconds(other.step_s)
        said.append(words("words.mix_other", join=words(f"join.{other.join}"), step=step, share=share))
    for join, reason in result.impossible.items():
        said.append(words("words.mix_impossible", join=words(f"join.{join}"), reason=words.phrase(reason)))
    return said


def _gain(best: MixedEstimate, words: Language, numbers: Numbers) -> str:
    if best.gain_fraction is None:
        return words("words.mix_only")
    key = "words.mix_faster" if best.gain_fraction > 0 else "words.mix_slower"
    return words(key, gain=numbers.percent(abs(best.gain_fraction)), pool=best.best_alone)


def held_by(part: MixPart, join: str, words: Language, numbers: Numbers) -> str:
    """What a pool has of the whole: sequences of the batch, or layers and stages."""
    share = numbers.percent(part.share)
    if join == "data":
        return words("text.sequences", share=share, count=numbers.integer(part.sequences))
    return words("text.stages", share=share, layers=part.layers, stages=part.stages)
