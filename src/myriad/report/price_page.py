"""Costs of serving beside list prices as one HTML file: what tokens cost where, and how that moves."""

from __future__ import annotations

from myriad.report import price_views
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.report.page import rendered
from myriad.report.palette import SERIES_COLOURS, TOKEN_COLOURS
from myriad.report.price_text import asked_words, figures_cells
from myriad.report.price_views import KINDS, by_model, parts_of
from myriad.report.serving_views import deployment_text
from myriad.spec.serving_money import CostPoint, PriceCheck, PriceRow


def price_html(check: PriceCheck, lang: str = "en") -> str:
    """The page of a price check as the text of one HTML file; like every page, it makes no request.

    Raises SpecError for an unknown language.
    """
    words = language(lang)
    numbers = Numbers(words)
    models = by_model(check)
    charts: dict[str, object] = {}
    for index, rows in enumerate(models.values()):
        if not any(row.cost for row in rows):
            continue
        charts[f"model-{index}-cost"] = _bars(check, rows, words)
        charts[f"model-{index}-cache"] = _lines(rows, "by_cache", words)
        charts[f"model-{index}-utilisation"] = _lines(rows, "by_utilisation", words)
    return rendered(
        "price.html.j2",
        words,
        check.model_dump_json(),
        charts,
        models=models,
        drawn=charts,
        n=numbers,
        views=price_views,
        significant=significant,
        cells=figures_cells,
        deployment_text=deployment_text,
        token_colours=TOKEN_COLOURS,
        title=words("price.title"),
        sort=words("price.page"),
        lead=asked_words(check, words, numbers),
        version=check.version,
        first="model-0",
        sections=[(f"model-{index}", name) for index, name in enumerate(models)],
        file_name="costs.json",
        made_by=words("ui.made_by", version=check.version, seconds=numbers.seconds(check.check_s)),
    )


def _bars(check: PriceCheck, rows: list[PriceRow], words: Language) -> dict[str, object]:
    """Stacked bars of the mean token: what each kind adds, on every accelerator and at every list price."""
    priced = [(row.accelerator, row.cost.usd) for row in rows if row.cost is not None]
    first = next(row.cost for row in rows if row.cost is not None)
    names = [name for name, _ in priced]
    names += [words("price.listed", name=one.name) for one in first.list_prices]
    stacks = [parts_of(usd, check) for _, usd in priced] + [parts_of(one.usd, check) for one in first.list_prices]
    return {
        "kind": "step",
        "rows": names,
        "series": [
            {
                "name": words(f"price.{kind}"),
                "colour": TOKEN_COLOURS[kind],
                "values": [stack[kind] for stack in stacks],
            }
            for kind in KINDS
        ],
        "axis": words("price.axis"),
        "unit": words("price.unit"),
    }


def _lines(rows: list[PriceRow], curve: str, words: Language) -> dict[str, object]:
    """Cost of the mean token against cache hits or utilisation, a line per accelerator; the list price across."""
    found: list[tuple[str, tuple[CostPoint, ...]]] = [
        (row.accelerator, row.by_cache if curve == "by_cache" else row.by_utilisation) for row in rows if row.cost
    ]
    share = "cached_fraction" if curve == "by_cache" else "utilisation"
    listed = next((row.cost.list_prices[0] for row in rows if row.cost and row.cost.list_prices), None)
    # The mean list price moves with cache hits as costs do: it stands across at the utilisation alone.
    across = listed.usd.blended if listed is not None and curve == "by_utilisation" else None
    return {
        "kind": "lines",
        "series": [
            {
                "name": name,
                "colour": SERIES_COLOURS[index % len(SERIES_COLOURS)],
                "points": [[100 * getattr(point, share), point.blended_usd] for point in points],
            }
            for index, (name, points) in enumerate(found)
        ],
        "across": across,
        "across_name": "" if listed is None else words("price.listed", name=listed.name),
        "axis": words(f"price.{curve}_axis"),
        "value_axis": words("price.axis"),
    }
