"""Arguments of a program, each held against what its release knows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from myriad.errors import SpecError, nearest, unknown_name
from myriad.spec.engine_flags import EngineFlags, Flag, OptionKey

Value = str | int | float


class Arguments:
    """A command line under construction. Refuses what the release does not know, and a flag given twice."""

    def __init__(self, flags: EngineFlags, start: Iterable[str] = ()) -> None:
        self._flags = flags
        self._words = list(start)
        self._given: set[str] = set()

    def add(self, flag: str, value: Value | Mapping[str, Any] | None = None) -> None:
        """Adds a flag, with its value unless it is a switch.

        Raises SpecError for a flag, a key or a value that the release does not know, with the nearest that it does.
        """
        known = self._known(flag)
        assert flag not in self._given, f"{flag} is given twice"
        assert (known.takes == "nothing") == (value is None), f"{flag}: {known.takes} is taken, {value!r} is given"
        if isinstance(value, Mapping):
            check_keys(self._flags.name, flag, known.keys, value)
        elif value is not None and known.choices and str(value) not in known.choices:
            raise SpecError(f"{self._flags.name}: {unknown_name(f'value of {flag}', str(value), known.choices)}")
        self._given.add(flag)
        self._words += [flag] if value is None else [flag, _word(value)]

    def repeat(self, flag: str, *values: str) -> None:
        """Adds a flag that may stand several times, with one or more values."""
        known = self._known(flag)
        for value in values if known.choices else ():
            if value not in known.choices:
                raise SpecError(f"{self._flags.name}: {unknown_name(f'value of {flag}', value, known.choices)}")
        self._words += [flag, *values]

    def words(self) -> tuple[str, ...]:
        """All of it, as a program gets it."""
        return tuple(self._words)

    def _known(self, flag: str) -> Flag:
        known = self._flags.named(flag)
        if known is None:
            names = [name for one, of in self._flags.flags.items() for name in (one, *of.aliases)]
            raise SpecError(f"{self._flags.name} has no flag {flag}{nearest(flag, names)}")
        return known


def _word(value: Value | Mapping[str, Any]) -> str:
    if isinstance(value, Mapping):
        return json.dumps(value, separators=(",", ":"))
    return f"{value:g}" if isinstance(value, float) else str(value)


def check_flag(flags: EngineFlags, flag: str, value: object) -> None:
    """Raises SpecError for a setting of this name, or a value that is listed for it, that the release does not know."""
    known = flags.flags.get(flag)
    name = flag.removeprefix("--")
    if known is None:
        hint = nearest(name, [one.removeprefix("--") for one in flags.flags])
        raise SpecError(f"{flags.name} has no setting {name}{hint}")
    if known.choices and str(value) not in known.choices:
        raise SpecError(f"{flags.name}: {unknown_name(f'value of {name}', str(value), known.choices)}")


def check_keys(release: str, where: str, known: Mapping[str, OptionKey], given: Mapping[str, Any]) -> None:
    """Raises SpecError for a key, or a value that is listed for it, that the release does not know."""
    for key, value in given.items():
        found = known.get(key)
        if found is None:
            raise SpecError(f"{release}: {where}: {unknown_name('key', key, known)}")
        if found.choices and str(value) not in found.choices:
            raise SpecError(f"{release}: {where}: {unknown_name(f'value of {key}', str(value), found.choices)}")
        if found.keys and isinstance(value, Mapping):
            check_keys(release, f"{where}: {key}", found.keys, value)
