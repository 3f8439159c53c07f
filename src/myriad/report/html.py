"""The plan as one HTML file that needs nothing else: no server, no network, no other file."""

from __future__ import annotations

from collections.abc import Iterator

from myriad.report import (
    campaign_page,
    fabric_svg,
    fabric_text,
    fabric_words,
    heat_svg,
    mix_words,
    service_views,
    service_words,
    timeline_chart,
    timeline_words,
    traffic_text,
    views,
    words,
)
from myriad.report.charts import job_charts, plan_charts
from myriad.report.json import plan_json
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.report.page import rendered
from myriad.report.palette import MEMORY_COLOURS, TIME_COLOURS
from myriad.report.serving_views import deployment_text
from myriad.spec.campaign_result import SimulatedPlan
from myriad.spec.result import MEMORY_PARTS, Plan


def plan_html(plan: Plan, lang: str = "en", simulated: SimulatedPlan | None = None) -> str:
    """The report of a plan as the text of one HTML file, in a language of `report.language.LANGUAGES`.

    With `simulated`, what its many lives say stands behind each job. Raises SpecError for an unknown language.
    """
    words_of = language(lang)
    numbers = Numbers(words_of, plan.currency, plan.usd_per_currency)
    return rendered(
        "report.html.j2",
        words_of,
        plan_json(plan, indent=None),
        plan_charts(plan, words_of, numbers),
        plan=plan,
        simulated=simulated,
        proof=campaign_page,
        n=numbers,
        views=views,
        words=words,
        mix_words=mix_words,
        service_words=service_words,
        service_views=service_views,
        deployment_text=deployment_text,
        fabric_words=fabric_words,
        svg=fabric_svg,
        maps=heat_svg,
        text=fabric_text,
        told=traffic_text,
        significant=significant,
        job_charts=job_charts,
        timeline_chart=timeline_chart,
        timeline_words=timeline_words,
        time_colours=TIME_COLOURS,
        memory_colours=MEMORY_COLOURS,
        memory_parts=MEMORY_PARTS,
        title=plan.system,
        sort=words_of("ui.report"),
        lead=plan.description,
        version=plan.version,
        first="overview",
        sections=[
            ("overview", words_of("ui.overview")),
            *((f"service-{index}", service.name) for index, service in enumerate(plan.services)),
            *_jobs(plan, simulated, words_of),
            *((f"fabric-{index}", words_of("pool.head", pool=pool)) for index, pool in enumerate(plan.fabrics)),
            ("sources", words_of("ui.sources")),
        ],
        file_name="plan.json",
        made_by=words_of("ui.made_by", version=plan.version, seconds=numbers.seconds(plan.plan_s)),
    )


def _jobs(plan: Plan, simulated: SimulatedPlan | None, words_of: Language) -> Iterator[tuple[str, str]]:
    """Id and name of the section of each job, and of its simulated lives."""
    for index, job in enumerate(plan.jobs):
        yield f"job-{index}", job.name
        for place, campaign in enumerate(simulated.campaigns if simulated else ()):
            if campaign.job == job.name:
                yield f"proof-{place}", words_of("campaign.section")
