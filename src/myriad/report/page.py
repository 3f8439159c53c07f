"""What every page has: one file, its styles and scripts within, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from myriad.report.language import Language
from myriad.report.palette import DARK, LIGHT, USE_COLOURS, USE_COLOURS_DARK


def rendered(
    template: str,
    language: Language,
    data: str,
    charts: dict[str, object],
    own_script: str | None = None,
    **values: object,
) -> str:
    """The text of a page.

    `data` is what it offers for download, as JSON; `charts` what it draws, by the id of the place; `own_script` the
    file of a script of its own, which runs last. The page makes no request: styles, scripts and values are in it, and
    its own policy forbids the rest. Names and notes of the user are escaped, as text and inside the embedded JSON.
    """
    names = ("vendor/echarts/echarts.common.min.js", "templates/report.js", *([own_script] if own_script else []))
    scripts = [_file(name) for name in names]
    drawn = {"charts": charts, "colours": {"light": LIGHT, "dark": DARK}, "locale": language.code}
    return (
        _environment()
        .get_template(template)
        .render(
            t=language,
            style=Markup(_colours() + _file("templates/report.css")),
            scripts=[Markup(script) for script in scripts],
            script_hashes=[_hash(script) for script in scripts],
            plan_data=embedded(data),
            chart_data=embedded(json.dumps(drawn, ensure_ascii=False, allow_nan=False)),
            **values,
        )
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


def embedded(text: str) -> Markup:
    """JSON that may stand in a script element: nothing in it can end the element or open a comment."""
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _colours() -> str:
    """The palette as custom properties: light by default and in print, dark where the reader prefers it."""

    def properties(colours: dict[str, str], uses: tuple[str, ...]) -> str:
        named = colours | {f"use-{step}": colour for step, colour in enumerate(uses)}
        return ":root{" + "".join(f"--{name}:{colour};" for name, colour in named.items()) + "}"

    steps = range(len(USE_COLOURS))
    classes = "".join(
        f".use-{one}{{fill:var(--use-{one})}}.fabric .link.use-{one}{{stroke:var(--use-{one})}}" for one in steps
    )
    dark = "@media screen and (prefers-color-scheme:dark){" + properties(DARK, USE_COLOURS_DARK) + "}\n"
    return properties(LIGHT, USE_COLOURS) + dark + classes
