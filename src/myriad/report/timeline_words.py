"""A timeline in words: how long it takes, how far the closed form is from it, and why."""

from __future__ import annotations

from myriad.report.language import Language
from myriad.report.numbers import Numbers
from myriad.spec.timeline import StepTimeline


def timeline_words(timeline: StepTimeline, language: Language, numbers: Numbers) -> list[str]:
    """What the micro-batches take by timeline and by closed form, and where the difference is from."""
    difference = timeline.pipeline_s / timeline.closed_pipeline_s - 1
    said = [
        language(
            "words.timeline_takes",
            count=numbers.integer(timeline.num_micro_batches),
            stages=len(timeline.stages),
            found=numbers.seconds(timeline.pipeline_s),
            closed=numbers.seconds(timeline.closed_pipeline_s),
            difference=numbers.percent(difference, signed=True),
        )
    ]
    if len(timeline.stages) == 1:
        return said
    if not timeline.within_closed_form:
        said.append(language("words.timeline_few"))
    if not timeline.equal_chunks:
        said.append(language("words.timeline_unequal"))
    if timeline.equal_chunks and timeline.within_closed_form:
        said.append(language("words.timeline_exact"))
    if timeline.transfers_s or timeline.closed_transfers_s:
        said.append(language("words.timeline_transfers"))
    return said


def shown_words(timeline: StepTimeline, language: Language, numbers: Numbers) -> list[str]:
    """What of a long step is there, if not all of it."""
    if len(timeline.windows_s) == 1:
        return []
    shown_s = sum(end - begin for begin, end in timeline.windows_s)
    total = numbers.seconds(timeline.pipeline_s)
    return [language("words.timeline_windows", shown=numbers.seconds(shown_s), total=total)]
