"""The words of reports: one catalog per language, every text under a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import yaml

from myriad.errors import SpecError, unknown_name

LANGUAGES: Final = ("en", "zh")

_PLACEHOLDER: Final = re.compile(r"\\\{(\w+)\\\}")


@dataclass(frozen=True)
class Language:
    """One language: its texts by key, and its renderings of sentences that other rooms wrote in English."""

    code: str
    texts: Mapping[str, str]
    phrases: tuple[tuple[re.Pattern[str], str], ...]

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its placeholders filled in. An unknown key is our own bug: KeyError."""
        return self.texts[key].format(**values)

    def phrase(self, text: str) -> str:
        """An English sentence of a result in this language, or as it is where the catalog has none for it.

        Results carry reasons and caveats as English sentences. The catalog lists the patterns of these
        sentences under `phrases`; what stands in a placeholder is a phrase itself, or a name or number to keep.
        """
        for pattern, rendering in self.phrases:
            if match := pattern.fullmatch(text):
                return rendering.format(**{name: self.phrase(part) for name, part in match.groupdict().items()})
        return text


def _flat(tree: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    texts: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            texts |= _flat(value, f"{prefix}{key}.")
        else:
            texts[prefix + key] = str(value)
    return texts


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(_PLACEHOLDER.sub(r"(?P<\1>.+?)", re.escape(template)))


@cache
def language(code: str) -> Language:
    """The language of a code of `LANGUAGES`. Raises SpecError for any other."""
    if code not in LANGUAGES:
        raise SpecError(unknown_name("language", code, LANGUAGES))
    source = resources.files("myriad.report").joinpath("messages", f"{code}.yaml").read_text(encoding="utf-8")
    tree = yaml.safe_load(source)
    phrases = tree.pop("phrases", {})
    return Language(code, _flat(tree), tuple((_pattern(english), text) for english, text in phrases.items()))
