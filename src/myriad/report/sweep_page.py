"""A sweep as one HTML file to explore: choose what stands across, upwards and as colour, and filter by axis."""

from __future__ import annotations

import json
from typing import Any

from myriad.report import sweep_views
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers
from myriad.report.page import embedded, rendered
from myriad.report.palette import HEAT_COLOURS, SERIES_COLOURS
from myriad.report.sweep_text import counted_text, front_text
from myriad.report.sweep_views import METRICS, by_model, column_of, front, metrics_of, price_of_speed, value_text
from myriad.spec.sweep_result import SweepResult


def sweep_html(result: SweepResult, lang: str = "en") -> str:
    """The page of a sweep as the text of one HTML file; like every page, it makes no request.

    Raises SpecError for an unknown language.
    """
    words = language(lang)
    numbers = Numbers(words)
    groups = by_model(result)
    fronts = {model: front(rows) for model, rows in groups.items()}
    best = {id(row) for rows in fronts.values() for row in rows}
    on_front = [id(row) in best for row in result.rows]
    return rendered(
        "sweep.html.j2",
        words,
        _json([row.flat() for row in result.rows]),
        {},
        "templates/sweep.js",
        result=result,
        n=numbers,
        views=sweep_views,
        counted=counted_text(result, words, numbers),
        fronts={front_text(model, fronts[model], rows, words): fronts[model] for model, rows in groups.items()},
        cost=price_of_speed([row for row in result.rows if row.found.status == "ok"]),
        on_front=on_front,
        sweep_data=embedded(_json(sweep_chart(result, on_front, words, numbers))),
        title=result.name,
        sort=words("sweep.page"),
        lead=result.description,
        version=result.version,
        first="explore",
        sections=[(place, words(f"sweep.{place}")) for place in ("explore", "fronts", "rows")],
        file_name="rows.json",
        made_by=words("ui.made_by", version=result.version, seconds=numbers.seconds(result.sweep_s)),
    )


def sweep_chart(result: SweepResult, on_front: list[bool], words: Language, numbers: Numbers) -> dict[str, Any]:
    """What `sweep.js` needs beside the rows: axes with their values, metrics, what is chosen first."""
    flat = [row.flat() for row in result.rows]
    metrics = metrics_of(flat)
    axes: list[dict[str, Any]] = []
    for key in result.varied:
        column = column_of(key)
        values = {row[column] for row in flat}
        ordered = sorted(values, key=lambda value: (value is None, isinstance(value, str), value or 0))
        texts = [[value, value_text(key, value, numbers)] for value in ordered]
        axes.append({"column": column, "name": words(f"axis.{key}"), "values": texts})
    return {
        "axes": axes,
        "metrics": [
            {
                "column": name,
                "name": words(f"metric.{name}"),
                "scale": METRICS[name].scale,
                "better": METRICS[name].better,
            }
            for name in metrics
        ],
        "front": [index for index, best in enumerate(on_front) if best],
        "start": _start(axes, metrics),
        "series": SERIES_COLOURS,
        "heat": HEAT_COLOURS,
        "nothing": words("sweep.nothing"),
    }


def _start(axes: list[dict[str, Any]], metrics: list[str]) -> dict[str, str]:
    """What is chosen first: the longest numeric axis across, a rate upwards, the first other axis as colour."""
    columns = {axis["column"]: len(axis["values"]) for axis in axes}
    if not columns or not metrics:
        first = (*metrics, *columns, "")[0]
        return {"x": first, "y": first, "colour": first}
    numeric = [column for column in columns if column in ("gpus", "global_batch", "seq_len", "scale_out_bytes_per_s")]
    across = max(numeric or columns, key=lambda column: columns[column])
    others = [column for column in columns if column != across]
    upwards = "mfu" if "model" in columns else "tokens_per_s_per_gpu"  # a token of one model is not one of another
    return {"x": across, "y": upwards, "colour": others[0] if others else upwards}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
