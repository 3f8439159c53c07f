"""Finds what the command line of a release of a serving engine knows."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from myriad.errors import SpecError, nearest, unknown_name
from myriad.spec.engine_flags import EngineFlags

FOLDER = Path(str(files("myriad"))) / "data" / "engine-flags"
_OTHER_NAMES = {"trtllm": "tensorrt-llm", "trt-llm": "tensorrt-llm", "tensorrt_llm": "tensorrt-llm"}


def launched_releases() -> dict[str, tuple[str, ...]]:
    """Engines and routers whose flags are known, with their releases, oldest first."""
    found: dict[str, list[str]] = {}
    for path in FOLDER.glob("*.json"):
        engine, release = re.fullmatch(r"([a-z-]+)-(\d.*)", path.stem).groups()  # type: ignore[union-attr]
        found.setdefault(engine, []).append(release)
    return {engine: tuple(sorted(found[engine], key=_age)) for engine in sorted(found)}


@lru_cache(maxsize=16)
def engine_flags(software: str, release: str = "") -> EngineFlags:
    """What the newest release knows that begins with the one named; without one, the newest of all.

    `0.18` finds 0.18.0. Raises SpecError for an engine or a release whose flags were not read.
    """
    known = launched_releases()
    engine = _OTHER_NAMES.get(software, software)
    if engine not in known:
        raise SpecError(f"{unknown_name('serving engine', software, known)}: only flags that were read are written")
    fitting = [one for one in known[engine] if not release or one == release or one.startswith(f"{release}.")]
    if not fitting:
        hint = nearest(release, known[engine], limit=1)
        raise SpecError(
            f"the flags of {engine} {release} are not known{hint or ''}{'' if hint else ';'} "
            f"known: {', '.join(known[engine])}"
        )
    return EngineFlags.model_validate_json((FOLDER / f"{engine}-{fitting[-1]}.json").read_bytes())


def _age(release: str) -> tuple[tuple[int, ...], bool, tuple[int, ...]]:
    """Sorts releases; candidates come before the release itself."""
    main, rest = re.fullmatch(r"([\d.]*\d)(.*)", release).groups()  # type: ignore[union-attr]
    return tuple(map(int, main.split("."))), not rest.startswith("rc"), tuple(map(int, re.findall(r"\d+", rest)))
