"""Promise and reality of a run as one HTML file."""

from __future__ import annotations

from collections import Counter

from myriad.report import run_svg, run_views
from myriad.report.language import language
from myriad.report.numbers import Numbers
from myriad.report.page import rendered
from myriad.report.palette import LEDGER_COLOURS
from myriad.spec.run import RunReport

MOST_EVENTS = 500


def run_html(report: RunReport, lang: str = "en", version: str = "") -> str:
    """The page of a run, finished or not, as a release of Myriad made it. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    sections = [("answer", words("run.compared")), ("books", words("run.books"))]
    if report.steps:
        sections.append(("course", words("run.course")))
    if report.events:
        sections.append(("events", words("run.events")))
    return rendered(
        "run.html.j2",
        words,
        report.model_dump_json(),
        {},
        report=report,
        n=numbers,
        svg=run_svg,
        views=run_views,
        ledger_colours=LEDGER_COLOURS,
        most_events=MOST_EVENTS,
        kept=Counter(one.kept for one in report.steps),
        title=report.summary.run,
        sort=words("run.page"),
        lead=run_views.facts(report, words, numbers),
        version=version,
        first="answer",
        sections=sections,
        file_name=f"{report.summary.run}.json",
        made_by=f"Myriad {version}".strip(),
    )
