"""What traffic gets from a fabric as one HTML file: bandwidth or step, the fabric drawn, how full its links were."""

from __future__ import annotations

from myriad.report import fabric_svg, fabric_text, heat_svg, traffic_text
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers
from myriad.report.page import rendered
from myriad.report.palette import SERIES_COLOURS
from myriad.spec.traffic_result import StepOnFabric, TrafficResult

Chart = dict[str, object]


def traffic_html(result: TrafficResult, version: str, lang: str = "en") -> str:
    """The page of a collective on a fabric, with its pictures. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    asked, *lead = traffic_text.asked_words(result, words, numbers)
    return _page(result, asked, lead, {"busbw": _bandwidth(result, words)}, version, words, numbers)


def step_html(result: StepOnFabric, version: str, lang: str = "en") -> str:
    """The page of a training step on a fabric, with its pictures. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    asked, *lead = traffic_text.job_words(result, words, numbers)
    return _page(result, asked, lead, {}, version, words, numbers)


def _page(
    result: TrafficResult | StepOnFabric,
    asked: str,
    lead: list[str],
    charts: dict[str, object],
    version: str,
    words: Language,
    numbers: Numbers,
) -> str:
    assert result.pictures is not None
    return rendered(
        "fabric_traffic.html.j2",
        words,
        result.model_dump_json(),
        charts,
        result=result,
        step=isinstance(result, StepOnFabric),
        asked=asked,
        pictures=result.pictures,
        n=numbers,
        svg=fabric_svg,
        maps=heat_svg,
        text=fabric_text,
        told=traffic_text,
        title=result.fabric,
        sort=words("drawing.traffic_page"),
        lead=asked,
        where=lead,
        version=version,
        first="got",
        sections=[
            ("got", words("traffic.sends" if isinstance(result, StepOnFabric) else "traffic.got")),
            ("drawn", words("drawing.head")),
            ("heat", words("traffic.use")),
        ],
        file_name="fabric-traffic.json",
        made_by=f"Myriad {version}",
    )


def _bandwidth(result: TrafficResult, words: Language) -> Chart:
    """Bus bandwidth on the fabric beside what links alone would give."""
    rates = (result.bus_bytes_per_s, result.ideal_bus_bytes_per_s)
    return {
        "kind": "step",
        "rows": [words("traffic.simulated"), words("traffic.ideal")],
        "series": [
            {"name": words("traffic.bus"), "colour": SERIES_COLOURS[0], "values": [rate / 1e9 for rate in rates]}
        ],
        "axis": words("traffic.bus"),
        "unit": "GB/s",
    }
