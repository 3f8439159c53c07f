"""A search over deployments as one HTML file: the answer, the fronts to hover over, the ranking, what was rejected."""

from __future__ import annotations

from myriad.report import serving_views
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.report.page import rendered
from myriad.report.palette import CACHE_COLOURS, SERIES_COLOURS, SERVING_COLOURS
from myriad.report.serving_text import named, search_words
from myriad.report.serving_views import deployment_words
from myriad.spec.serving_search import DeploymentPoint, ServingSearch


def serving_html(search: ServingSearch, model: str, accelerator: str, lang: str = "en") -> str:
    """The page of a search as the text of one HTML file; like every page, it makes no request.

    Raises SpecError for an unknown language.
    """
    words = language(lang)
    numbers = Numbers(words)
    return rendered(
        "serving.html.j2",
        words,
        search.model_dump_json(),
        {"front": front_chart(search, words, numbers)},
        search=search,
        n=numbers,
        views=serving_views,
        significant=significant,
        named=named,
        paragraphs=search_words(search, words, numbers),
        deployment_words=deployment_words,
        promise=serving_views.promise_text(search.objective, words, numbers),
        spent_colours=SERVING_COLOURS,
        use_colours=CACHE_COLOURS,
        title=f"{model} · {numbers.integer(search.num_gpus)} x {accelerator}",
        sort=words("serving.page"),
        lead="",
        version=search.version,
        first="overview",
        sections=[
            ("overview", words("serving.overview")),
            ("front-section", words("serving.front_section")),
            ("ranked", words("serving.ranked_section")),
            ("time", words("serving.iteration_section")),
            ("rejected", words("serving.rejected_section")),
        ],
        file_name="search.json",
        made_by=words("ui.made_by", version=search.version, seconds=numbers.seconds(search.search_s)),
    )


def front_chart(search: ServingSearch, words: Language, numbers: Numbers) -> dict[str, object]:
    """What `report.js` draws: a line of points per kind of deployment, and where the promised TPOT lies."""
    every = [point for points in search.curves.values() for point in points]
    promised = search.objective.tpot
    return {
        "kind": "front",
        "series": [
            {
                "name": words.phrase(name),
                "colour": SERIES_COLOURS[index % len(SERIES_COLOURS)],
                "points": [_point(point, _unbeaten(point, every), words, numbers) for point in points],
            }
            for index, (name, points) in enumerate(search.curves.items())
        ],
        "axis": words("serving.user_axis"),
        "gpu_axis": words("serving.gpu_axis"),
        "promised": None if promised is None else 1.0 / promised,
        "promised_name": words("serving.promised"),
    }


def _unbeaten(point: DeploymentPoint, every: list[DeploymentPoint]) -> bool:
    """Whether no other point gives more tokens per user, and per accelerator, than this one."""
    per_user, per_gpu = point.tokens_per_s_per_user, point.output_tokens_per_s_per_gpu
    return not any(
        other.tokens_per_s_per_user > per_user and other.output_tokens_per_s_per_gpu > per_gpu for other in every
    )


def _point(point: DeploymentPoint, best: bool, words: Language, numbers: Numbers) -> dict[str, object]:
    told = [
        (words("serving.requests"), numbers.integer(point.concurrency)),
        (words("serving.rate"), significant(point.requests_per_s)),
        ("TTFT", f"{numbers.seconds(point.ttft_s)}, {numbers.seconds(point.ttft_at_percentile_s)}"),
        ("TPOT", f"{numbers.seconds(point.tpot_s)}, {numbers.seconds(point.tpot_at_percentile_s)}"),
        (words("column.gpus"), numbers.integer(point.gpus)),
    ]
    return {
        "value": [point.tokens_per_s_per_user, point.output_tokens_per_s_per_gpu],
        "name": named(point),
        "told": told,
        "best": best,
    }
