"""YAML and JSON text -> a tree of values that know their file and line.

The tree is built from parser events, not by PyYAML's constructors, for four reasons: every value
keeps its line; numbers and booleans follow YAML 1.2 (`1e9` is a number, `no` is text); duplicate
keys, anchors, NaN and infinities are refused; and nesting cannot exhaust the stack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import yaml

from myriad.errors import SpecError, nearest

MAX_BYTES: Final = 2_000_000
MAX_DEPTH: Final = 64

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(slots=True)
class Node:
    """A scalar, a list of nodes or a mapping of nodes, with the place that it was read from."""

    value: str | int | float | bool | list[Node] | dict[str, Node] | None
    file: str
    line: int
    key_line: int | None = None
    """Line of the key that leads here, where it has one."""

    @property
    def where(self) -> str:
        """`file:line` of the key, or of the value if there is no key."""
        return f"{self.file}:{self.key_line or self.line}"

    def plain(self) -> Any:
        """The same tree as ordinary Python values."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


def read_mapping(path: Path | str) -> Node:
    """The file as a tree whose top is a mapping. Raises SpecError, with file and line, for anything else."""
    text = read_text(Path(path))
    node = parse(text, str(path))
    if not isinstance(node.value, dict):
        raise SpecError(f"{node.where}: expected a mapping of keys to values, found {describe(node.plain())}")
    return node


def parse(text: str, file: str) -> Node:
    """The text as a tree; `file` is only named in errors."""
    try:
        node = _Builder(file).build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or error.context or "not valid YAML").replace("\n", " ")
        lines = text.split("\n")
        if mark and mark.line < len(lines) and lines[mark.line].lstrip(" ").startswith("\t"):
            problem = "a tab indents this line; YAML wants spaces"
        raise SpecError(f"{file}:{mark.line + 1 if mark else 1}: {problem}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(f"{file}:{line}: a control character is not allowed in YAML") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{file}:1: {' '.join(str(error).split())}") from None
    if node is None:
        raise SpecError(f"{file}:1: the file is empty")
    return node


def describe(value: object) -> str:
    """A value as an error names it: its type where that helps, its text cut short.

    >>> describe("80 GB"), describe({"a": 1}), describe(None)
    ("text '80 GB'", 'a mapping', 'nothing')
    """
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return f"text {value if len(value) <= 60 else value[:57] + '...'!r}"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return str(value)


def read_text(path: Path, form: str = "YAML") -> str:
    """The text of a file; `form` names it in errors. Raises SpecError if it is missing, too large or not UTF-8 text."""
    try:
        if path.is_dir():
            raise SpecError(f"{path}: is a folder, expected a {form} file")
        if not path.exists():
            raise SpecError(f"{path}: no such file{_near_files(path)}")
        if not path.is_file():
            raise SpecError(f"{path}: is not a regular file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SpecError(f"{path}: {size / 1e6:.1f} MB is too large; at most {MAX_BYTES / 1e6:.0f} MB is read")
        raw = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {(error.strerror or 'unknown reason').lower()}") from None
    if b"\0" in raw:
        raise SpecError(f"{path}: is a binary file, expected {form} text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SpecError(f"{path}:{line}: is not UTF-8 text") from None


def _near_files(path: Path) -> str:
    if not path.parent.is_dir():
        return f" (nor a folder {str(path.parent)!r})"
    return nearest(path.name, (entry.name for entry in path.parent.iterdir()))


def _ignore(_: _Builder, __: yaml.Event) -> None:
    """The start and end of the stream, and the end of a document, say nothing."""


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


class _Builder:
    """Turns parser events into nodes, keeping the open collections on a list of its own."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.open: list[Node] = []
        self.keys: list[tuple[str, int] | None] = []
        """For each open collection, the mapping key that waits for its value."""
        self.path: list[str] = []
        """For each open collection, the key that leads to it, or empty text."""
        self.root: Node | None = None

    def build(self, text: str) -> Node | None:
        for event in yaml.parse(text, Loader=_LOADER):
            self._steps.get(type(event), _ignore)(self, event)
        root = self.root
        # A file of comments only parses to one empty scalar.
        return None if root is None or root.value is None else root

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        if self.root is not None:
            raise self._error(event, "expected one document, found a second after '---'")

    def _alias(self, event: yaml.AliasEvent) -> None:
        raise self._error(event, f"alias '*{event.anchor}' is not supported; write the value out")

    def _mapping(self, event: yaml.MappingStartEvent) -> None:
        self._start(event, {})

    def _sequence(self, event: yaml.SequenceStartEvent) -> None:
        self._start(event, [])

    def _end(self, _: yaml.Event) -> None:
        self.open.pop()
        self.keys.pop()
        self.path.pop()

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_plain(event)
        top = self.open[-1] if self.open else None
        line = _line(event)
        if top is not None and isinstance(top.value, dict) and self.keys[-1] is None:
            self._key(event, top.value, line)
        else:
            self._add(self._resolve(event), line)

    def _key(self, event: yaml.ScalarEvent, mapping: dict[str, Node], line: int) -> None:
        if event.value in mapping:
            first = mapping[event.value].key_line
            raise self._error(event, f"key {event.value!r} is given twice, first in line {first}")
        if event.value == "<<" and event.style in (None, ""):
            raise self._error(event, "merge key '<<' is not supported; write the keys out")
        self.keys[-1] = (event.value, line)

    def _start(self, event: yaml.CollectionStartEvent, empty: list[Node] | dict[str, Node]) -> None:
        self._check_plain(event)
        if len(self.open) >= MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels")
        if self.open and isinstance(self.open[-1].value, dict) and self.keys[-1] is None:
            raise self._error(event, "a key must be text, not a list or a mapping")
        waiting = self.keys[-1] if self.keys else None
        self.path.append(waiting[0] if waiting else "")
        self.open.append(self._add(empty, _line(event)))
        self.keys.append(None)

    def _add(self, value: Any, line: int) -> Node:
        node = Node(value, self.file, line)
        if not self.open:
            self.root = node
            return node
        parent = self.open[-1].value
        if isinstance(parent, dict):
            waiting = self.keys[-1]
            assert waiting is not None
            key, node.key_line = waiting
            parent[key] = node
            self.keys[-1] = None
        elif isinstance(parent, list):
            parent.append(node)
        return node

    def _check_plain(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.anchor is not None:
            raise self._error(event, f"anchor '&{event.anchor}' is not supported; write the value out each time")
        if event.tag is not None and event.tag != "!":
            raise self._error(event, f"tag {event.tag!r} is not supported")

    def _resolve(self, event: yaml.ScalarEvent) -> str | int | float | bool | None:
        text: str = event.value
        if event.style not in (None, ""):
            return text
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in "+-.0123456789":
            return text
        if _NOT_FINITE.fullmatch(text):
            raise self._error(event, f"expected a finite number, found {text}")
        if len(text) <= 100 and _INTEGER.fullmatch(text):
            return int(text)
        if len(text) <= 100 and _FLOAT.fullmatch(text):
            number = float(text)
            if not math.isfinite(number):
                raise self._error(event, f"expected a finite number, found {text}")
            # `1e4` is how people write a count of ten thousand; `1.0` stays a fraction-capable number.
            whole = ("e" in text or "E" in text) and number.is_integer() and abs(number) < 2**53
            return int(number) if whole else number
        return text

    def _error(self, event: yaml.Event, text: str) -> SpecError:
        waiting = self.keys[-1] if self.keys else None
        path = ".".join(key for key in (*self.path, waiting[0] if waiting else "") if key)
        return SpecError(f"{self.file}:{_line(event)}: {path + ': ' if path else ''}{text}")

    _steps: ClassVar[dict[type[yaml.Event], Callable[[_Builder, Any], None]]] = {
        yaml.ScalarEvent: _scalar,
        yaml.MappingStartEvent: _mapping,
        yaml.SequenceStartEvent: _sequence,
        yaml.MappingEndEvent: _end,
        yaml.SequenceEndEvent: _end,
        yaml.DocumentStartEvent: _document,
        yaml.AliasEvent: _alias,
    }
