"""A timeline as one HTML file that needs nothing else."""

from __future__ import annotations

import json

from myriad.report import timeline_chart, timeline_words
from myriad.report.language import language
from myriad.report.numbers import Numbers
from myriad.report.page import rendered
from myriad.spec.timeline import StepTimeline


def timeline_html(timeline: StepTimeline, lang: str = "en") -> str:
    """The page of a timeline. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    return rendered(
        "timeline.html.j2",
        words,
        json.dumps(timeline.model_dump(mode="json"), ensure_ascii=False, allow_nan=False),
        {"step-timeline": timeline_chart.timeline_chart(timeline, words, numbers)},
        timeline=timeline,
        n=numbers,
        timeline_chart=timeline_chart,
        timeline_words=timeline_words,
        title=timeline.subject,
        sort=words("ui.timeline"),
        lead="",
        version=timeline.version,
        first="timeline",
        sections=[("timeline", words("ui.timeline")), ("stages", words("column.stage"))],
        file_name="timeline.json",
        made_by=f"Myriad {timeline.version}",
    )
