"""MkDocs hook: writes reference tables from the code, so that they cannot fall behind it.

<!-- fields: myriad.spec.system.Pool -->    the fields of a description, from their docstrings
<!-- money -->                              currencies, and what a price may be per
"""

from __future__ import annotations

import importlib
import re
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from myriad.api import validate_ranking
from myriad.spec import base
from myriad.units import CURRENCIES, MONEY_DENOMINATORS

FIELDS = re.compile(r"<!-- fields: ([\w.]+) -->")
MONEY = "<!-- money -->"
RANKING = "<!-- ranking -->"

#: The validator of a quantity type -> its name in spec.base.
QUANTITIES = {
    get_args(alias)[1].func: name
    for name, alias in vars(base).items()
    if get_origin(alias) is Annotated and hasattr(get_args(alias)[1], "func")
}
WORDS = {
    "BytesPerS": "bytes/s", "FlopsPerS": "FLOP/s", "Bytes": "bytes", "Flops": "FLOP", "Seconds": "duration",
    "CountOrZero": "whole number", "Count": "whole number", "str": "text", "int": "whole number", "float": "number",
    "bool": "true or false",
}  # fmt: skip


def type_text(annotation: Any) -> str:
    """What to write for a field of this type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        names = [QUANTITIES[m.func] for m in arguments[1:] if getattr(m, "func", None) in QUANTITIES]
        if names:
            return WORDS.get(names[0], names[0].lower())
        if get_origin(arguments[0]) is None and arguments[0].__name__ == "Money":
            return "[money](quantities.md#money)"
        return type_text(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(type_text(a) for a in arguments if a is not type(None))
    if origin is tuple:
        many = type_text(arguments[0]) if arguments[-1] is Ellipsis else ", ".join(map(type_text, arguments))
        return f"list of {many}" if arguments[-1] is Ellipsis else f"[{many}]"
    if origin is dict:
        return f"mapping: name to {type_text(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__
    return WORDS.get(annotation.__name__, annotation.__name__)


def default_text(field: FieldInfo) -> str:
    """The default of a field, `required`, or nothing where it may be left out."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value == () or value == {} or value == "" or isinstance(value, BaseModel):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def fields_table(path: str) -> str:
    """A Markdown table of the fields of the description at a dotted path."""
    module, _, name = path.rpartition(".")
    spec: type[BaseModel] = getattr(importlib.import_module(module), name)
    hints = get_type_hints(spec, include_extras=True)
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, field in spec.model_fields.items():
        meaning = " ".join((field.description or "").split()).replace("|", r"\|")
        rows.append(f"| `{key}` | {type_text(hints[key])} | {default_text(field)} | {meaning} |")
    return "\n".join(rows)


def money_text() -> str:
    """The currencies and denominators of prices, as Markdown."""
    currencies = ", ".join(f"`{c}`" for c in CURRENCIES)
    denominators = ", ".join(f"`{d}`" for d in MONEY_DENOMINATORS if d)
    return f"Currencies: {currencies}.\n\nA price may be per {denominators}."


def ranking_table() -> str:
    """A Markdown table of how the layouts of one job are ranked: all sets, then by source."""
    result = validate_ranking()
    rows = [
        "| sets by source | number | layouts | median Spearman | lowest | mean regret | worst |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, group in {"**all**": result.overall, **result.by_source}.items():
        rows.append(
            f"| {name} | {group.sets} | {group.layouts} | {group.median_spearman:.2f} | {group.lowest_spearman:.2f} "
            f"| {group.mean_regret:.1%} | {group.worst_regret:.1%} |"
        )
    return "\n".join(rows)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fills the marks of a page; called by MkDocs."""
    filled = FIELDS.sub(lambda match: fields_table(match[1]), markdown).replace(MONEY, money_text())
    return filled.replace(RANKING, ranking_table()) if RANKING in filled else filled
