"""The goodput of a job as one HTML file: what trains, what it depends on, what would help."""

from __future__ import annotations

from myriad.report import goodput_svg, goodput_text
from myriad.report.language import language
from myriad.report.numbers import Numbers, significant
from myriad.report.page import rendered
from myriad.spec.goodput import GoodputResult


def goodput_html(result: GoodputResult, lang: str = "en") -> str:
    """The page of the goodput of a job. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    return rendered(
        "goodput.html.j2",
        words,
        result.model_dump_json(),
        {},
        result=result,
        n=numbers,
        svg=goodput_svg,
        text=goodput_text,
        significant=significant,
        title=goodput_text.goodput_facts(result, words, numbers),
        sort=words("goodput.page"),
        lead="",
        version=result.version,
        first="answer",
        sections=[
            ("answer", words("goodput.answer")),
            ("intervals", words("goodput.intervals")),
            ("changes", words("goodput.changes")),
        ],
        file_name="job-goodput.json",
        made_by=f"Myriad {result.version}",
    )
