"""The command line of one release of a serving engine or router: which flags it knows, and what they take."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from myriad.spec.base import Spec


class OptionKey(Spec):
    """One key of an option that takes a mapping."""

    choices: tuple[str, ...] = ()
    keys: dict[str, OptionKey] = Field(default={})


class Flag(Spec):
    """One flag."""

    aliases: tuple[str, ...] = ()
    takes: Literal["text", "int", "float", "nothing"] = "text"
    choices: tuple[str, ...] = ()
    """The values that it may have, where its parser lists them."""
    keys: dict[str, OptionKey] = Field(default={})
    """For a flag whose value is a mapping: the keys that this may have."""


class EngineFlags(Spec):
    """What the command line of one release knows."""

    engine: str
    release: str
    source: str
    read_on: str
    flags: dict[str, Flag]

    @property
    def name(self) -> str:
        """Engine and release, as a deployment names them."""
        return f"{self.engine}@{self.release}"

    def named(self, flag: str) -> Flag | None:
        """The flag of this name or alias; `None` where the release has none."""
        found = self.flags.get(flag)
        return found or next((one for one in self.flags.values() if flag in one.aliases), None)
