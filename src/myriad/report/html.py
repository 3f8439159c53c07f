"""The plan as one HTML file that needs nothing else: no server, no network, no other file."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from myriad.report import mix_words, views, words
from myriad.report.charts import job_charts, plan_charts
from myriad.report.json import plan_json
from myriad.report.language import language
from myriad.report.numbers import Numbers
from myriad.report.palette import DARK, LIGHT, MEMORY_COLOURS, TIME_COLOURS
from myriad.spec.result import MEMORY_PARTS, Plan


def plan_html(plan: Plan, lang: str = "en") -> str:
    """The report of a plan as the text of one HTML file, in a language of `report.language.LANGUAGES`.

    The page makes no request: styles, scripts and values are in it, and its own policy forbids the rest.
    Names and notes of the user are escaped, as text and inside the embedded JSON.
    Raises SpecError for an unknown language.
    """
    words_of = language(lang)
    numbers = Numbers(words_of, plan.currency, plan.usd_per_currency)
    scripts = (_file("vendor/echarts/echarts.common.min.js"), _file("templates/report.js"))
    page = _environment().get_template("report.html.j2")
    return page.render(
        plan=plan,
        t=words_of,
        n=numbers,
        views=views,
        words=words,
        mix_words=mix_words,
        job_charts=job_charts,
        time_colours=TIME_COLOURS,
        memory_colours=MEMORY_COLOURS,
        memory_parts=MEMORY_PARTS,
        style=Markup(_colours() + _file("templates/report.css")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=[_hash(script) for script in scripts],
        plan_data=_data(plan_json(plan, indent=None)),
        chart_data=_data(json.dumps(plan_charts(plan, words_of, numbers), ensure_ascii=False, allow_nan=False)),
    )


@cache
def _file(path: str) -> str:
    return resources.files("myriad.report").joinpath(path).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("myriad.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["upfirst"] = lambda text: text[:1].upper() + text[1:]
    return environment


@cache
def _hash(script: str) -> str:
    """The script's digest as a content security policy names it, so that no other script may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _data(text: str) -> Markup:
    """JSON that may stand in a script element: nothing in it can end the element or open a comment."""
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _colours() -> str:
    """The palette as custom properties: light by default and in print, dark where the reader prefers it."""

    def properties(colours: dict[str, str]) -> str:
        return ":root{" + "".join(f"--{name}:{colour};" for name, colour in colours.items()) + "}"

    return properties(LIGHT) + "@media screen and (prefers-color-scheme:dark){" + properties(DARK) + "}\n"
