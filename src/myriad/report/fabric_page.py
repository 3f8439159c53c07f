"""Fabrics as HTML files that need nothing else: one described and drawn, several beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from myriad.report import fabric_svg, fabric_text
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.report.page import rendered
from myriad.report.palette import SERIES_COLOURS
from myriad.spec.fabric_drawing import FabricDrawing
from myriad.spec.fabric_result import ComparedFabric, FabricComparison, FabricDescription
from myriad.units import format_si

Chart = dict[str, object]


def fabric_html(fabric: FabricDescription, drawing: FabricDrawing, version: str, lang: str = "en") -> str:
    """The page of a described fabric. Raises SpecError for an unknown language."""
    words = language(lang)
    sections = [("drawn", words("drawing.head")), ("counts", words("drawing.counts"))]
    if fabric.growth:
        sections.append(("growth", words("fabric.growth")))
    numbers = Numbers(words)
    return rendered(
        "fabric_describe.html.j2",
        words,
        fabric.model_dump_json(),
        {},
        fabric=fabric,
        drawing=drawing,
        n=numbers,
        svg=fabric_svg,
        text=fabric_text,
        significant=significant,
        title=fabric.title,
        sort=words("drawing.page"),
        lead=fabric_text.asked_words(fabric, words, numbers),
        version=version,
        first="drawn",
        sections=sections,
        file_name="described-fabric.json",
        made_by=f"Myriad {version}",
    )


def comparison_html(
    comparison: FabricComparison, drawings: Mapping[str, FabricDrawing], version: str, lang: str = "en"
) -> str:
    """The page of several fabrics for the same accelerators, with a drawing of each that can join them.

    Raises SpecError for an unknown language.
    """
    words = language(lang)
    numbers = Numbers(words)
    rows = [row for row in comparison.rows if row.description is not None]
    bars = _bars(rows, words)
    return rendered(
        "fabric_compare.html.j2",
        words,
        comparison.model_dump_json(),
        dict(bars.items()),
        comparison=comparison,
        drawings={name: (f"fabric-{index}", one) for index, (name, one) in enumerate(drawings.items())},
        bars={name: chart["axis"] for name, chart in bars.items()},
        collectives=_collectives(rows),
        watts=lambda value: format_si(value, "W"),
        n=numbers,
        svg=fabric_svg,
        text=fabric_text,
        significant=significant,
        title=words("fabric.compared", cluster=comparison.cluster, gpus=numbers.gpus(comparison.num_accelerators)),
        sort=words("drawing.compare_page"),
        lead="",
        version=version,
        first="table-section",
        sections=[
            ("table-section", words("drawing.compared")),
            ("bars", words("drawing.bars")),
            ("drawings", words("drawing.head")),
        ],
        file_name="compared-fabrics.json",
        made_by=f"Myriad {version}",
    )


def _collectives(rows: list[ComparedFabric]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.collectives_s))


def _bars(rows: list[ComparedFabric], words: Language) -> dict[str, Chart]:
    """A chart per figure that at least one fabric has, by the id of its place."""
    figures: dict[str, tuple[str, Callable[[ComparedFabric], float | None]]] = {
        "bar-cost": (words("drawing.per_endpoint", unit="USD"), lambda row: row.cost_per_endpoint_usd),
        "bar-switches": (words("fabric.switches"), lambda row: _described(row).num_switches),
        "bar-transceivers": (words("fabric.transceivers"), lambda row: row.transceivers),
        "bar-power": (words("drawing.kilowatts"), lambda row: _scaled(row.power_watts, 1e-3)),
        "bar-bisection": (words("drawing.share"), lambda row: 100 * _described(row).bisection_fraction),
        "bar-hops": (words("fabric.mean_hops"), lambda row: _described(row).mean_hops),
    }
    for index, name in enumerate(_collectives(rows)):
        figures[f"bar-collective-{index}"] = (
            words("drawing.seconds", name=name),
            lambda row, name=name: _scaled(row.collectives_s.get(name), 1e3),  # type: ignore[misc]
        )
    charts: dict[str, Chart] = {}
    for index, (place, (name, figure)) in enumerate(figures.items()):
        values = [figure(row) for row in rows]
        if any(value is not None for value in values):
            charts[place] = {
                "kind": "step",
                "rows": [row.name for row in rows],
                "series": [
                    {
                        "name": name,
                        "colour": SERIES_COLOURS[index % len(SERIES_COLOURS)],
                        "values": [value or 0.0 for value in values],
                    }
                ],
                "axis": name,
                "unit": "",
            }
    return charts


def _described(row: ComparedFabric) -> FabricDescription:
    assert row.description is not None
    return row.description


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value * by
