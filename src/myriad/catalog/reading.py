"""A file of the user -> a validated description, or one line that says where and what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from myriad.catalog.yaml_file import Node, describe, read_mapping
from myriad.errors import SpecError, nearest
from myriad.spec.base import Spec

SpecT = TypeVar("SpecT", bound=Spec)

_EXPECTED = {
    "int_type": "a whole number", "int_parsing": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "float_parsing": "a number", "finite_number": "a finite number",
    "string_type": "text", "bool_type": "true or false", "bool_parsing": "true or false",
    "dict_type": "a mapping", "model_type": "a mapping", "model_attributes_type": "a mapping",
    "list_type": "a list", "tuple_type": "a list",
}  # fmt: skip


def read_spec(path: Path | str, spec_class: type[SpecT]) -> SpecT:
    """The description in a YAML or JSON file.

    If the class has a field `include`, the files that it names (relative to the file that names
    them) are merged first: mappings key by key, everything else replaced, the including file last.
    Raises SpecError with one line `file:line: key: found ..., expected ...`.
    """
    path = Path(path)
    node = read_mapping(path)
    if "include" in spec_class.model_fields:
        node = _with_includes(node, path, (path,))
    return validated(node, spec_class)


def keys_of(path: Path | str) -> set[str]:
    """The keys at the top of a YAML or JSON file, which tell what it describes. Raises SpecError if there are none."""
    return set(read_mapping(path).plain())


def located(path: Path, text: str) -> str:
    """An error that came up after reading, with the file and line of the key that its text begins with.

    `jobs.pretrain.model: unknown ...` becomes `system.yaml:6: jobs.pretrain.model: unknown ...`. Without
    such a key it is the file alone.
    """
    node = _with_includes(read_mapping(path), path, (path,))
    return _placed(node, text) or f"{path}: {text}"


def _placed(node: Node, text: str) -> str | None:
    """The text behind file and line of the key that it begins with; `None` if it names no key of the tree."""
    named = re.match(r"([A-Za-z_][\w.-]*): ", text)
    found = _find(node, named[1].split(".")) if named else node
    return None if found is node else f"{found.where}: {text}"


def validated(node: Node, spec_class: type[SpecT]) -> SpecT:
    """The description in a tree of nodes. Raises SpecError for its first problem and counts the others."""
    data = node.plain()
    try:
        return spec_class.model_validate(data)
    except ValidationError as error:
        problems = _without_other_branches(error.errors(include_url=False), data)
        # An unknown key comes first: misspelt, it explains why another is missing.
        problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
        text = _message(problems[0], node, data, spec_class)
        more = len(problems) - 1
        raise SpecError(text + (f" (and {more} more)" if more else "")) from None


def _with_includes(node: Node, path: Path, chain: tuple[Path, ...]) -> Node:
    assert isinstance(node.value, dict)
    include = node.value.get("include")
    if include is None:
        return node
    names = include.value if isinstance(include.value, list) else None
    if names is None or not all(isinstance(name.value, str) and name.value.strip() for name in names):
        raise SpecError(f"{include.where}: include: expected a list of file names, found {describe(include.plain())}")
    merged: Node | None = None
    for name in names:
        target = path.parent / str(name.value)
        if any(_same_file(target, other) for other in chain):
            circle = " -> ".join(p.name for p in (*chain, target))
            raise SpecError(f"{name.file}:{name.line}: include: files include each other in a circle: {circle}")
        try:
            other = read_mapping(target)
        except SpecError as error:
            raise SpecError(f"{name.file}:{name.line}: include: {error}") from None
        other = _with_includes(other, target, (*chain, target))
        merged = other if merged is None else _merge(merged, other)
    return node if merged is None else _merge(merged, node)


def _same_file(a: Path, b: Path) -> bool:
    return a.exists() and b.exists() and a.samefile(b)


def _merge(base: Node, over: Node) -> Node:
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = dict(base.value)
    for key, child in over.value.items():
        merged[key] = _merge(merged[key], child) if key in merged else child
    return Node(merged, over.file, over.line, over.key_line)


def _location(problem: ErrorDetails, data: Any) -> list[str | int]:
    """The keys of a problem that stand in the file; pydantic mixes in names of union members."""
    here, keys, in_member = data, [], False
    loc = [part for part in problem["loc"] if part != "[key]"]
    for i, part in enumerate(loc):
        if isinstance(here, dict) and part == here.get("kind") and not in_member and i < len(loc) - 1:
            in_member = True  # the name of the member, though a key may be called so too: `kind: hosts`
            continue
        is_key = isinstance(here, dict) and part in here
        is_index = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if is_key or is_index:
            here, in_member = here[part], False
            keys.append(part)
        elif i == len(loc) - 1 and problem["type"] == "missing":
            keys.append(part)
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        keys.append(problem["ctx"]["discriminator"].strip("'"))
    return keys


def _without_other_branches(problems: list[ErrorDetails], data: Any) -> list[ErrorDetails]:
    """Drops complaints of union members that the value was not meant for: `text` where a mapping stands.

    Where all members complain of the type alone, one problem is left that names all types.
    """
    paths = [_location(p, data) for p in problems]
    kept: list[ErrorDetails] = []
    type_problems: dict[tuple[str | int, ...], ErrorDetails] = {}
    for problem, path in zip(problems, paths, strict=True):
        if problem["type"] not in _EXPECTED or len(problem["loc"]) == len(path):
            kept.append(problem)
            continue
        if any(
            other[: len(path)] == path and (len(other) > len(path) or rival["type"] not in _EXPECTED)
            for rival, other in zip(problems, paths, strict=True)
        ):
            continue
        first = type_problems.setdefault(tuple(path), problem)
        if first is problem:
            kept.append(problem)
        else:
            wanted = f"{_expected(first)} or {_EXPECTED[problem['type']]}"
            first["ctx"] = {"wanted": wanted}
    return kept


def _expected(problem: ErrorDetails) -> str:
    return str(problem.get("ctx", {}).get("wanted", _EXPECTED[problem["type"]]))


def _message(problem: ErrorDetails, node: Node, data: Any, spec_class: type[BaseModel]) -> str:
    keys = _location(problem, data)
    text = problem_text(problem, spec_class)
    # A check of the whole description names the key itself, as `jobs.pretrain.pools: ...`.
    if not keys and (placed := _placed(node, text)):
        return placed
    path = ".".join(map(str, keys[:-1] if problem["type"] == "extra_forbidden" else keys))
    return f"{_find(node, keys).where}: {path + ': ' if path else ''}{text}"


def _find(node: Node, keys: list[Any]) -> Node:
    """The node that the keys lead to, or the last one on the way that exists."""
    for key in keys:
        below = node.value
        children: dict[Any, Node] = below if isinstance(below, dict) else {}
        if isinstance(below, list):
            children = dict(enumerate(below))
        if key not in children:
            break
        node = children[key]
    return node


def problem_text(problem: ErrorDetails, spec_class: type[BaseModel]) -> str:
    """What is wrong with one value, in words, without the place: `expected a whole number, found text 'x'`."""
    kind, found, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        key = str(problem["loc"][-1])
        names = _field_names(spec_class, list(problem["loc"][:-1]))
        hint = nearest(key, names) or "; allowed: " + ", ".join(names)
        return f"unknown key {key!r}{hint}"
    if kind in ("missing", "union_tag_not_found"):
        return "this key is missing"
    if kind in ("literal_error", "union_tag_invalid"):
        listed = str(context.get("expected", context.get("expected_tags")))
        allowed = re.findall(r"'([^']*)'", listed) or [listed]
        shown = context.get("tag", found)
        return f"found {describe(shown)}, allowed: {', '.join(allowed)}{nearest(str(shown), allowed)}"
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", problem["msg"]))
    if kind in _EXPECTED:
        return f"expected {_expected(problem)}, found {describe(found)}"
    rule = re.sub(r"^Input should ", "", problem["msg"])
    rule = re.sub(r"^(?:Dictionary|List|Tuple|String|Value) should ", "", rule)
    rule = re.sub(r" after validation, not \d+$", "", rule).replace("item", "entry", 1)
    return f"must {rule}, found {describe(found)}"


def _members(annotation: Any) -> list[Any]:
    """The types that an annotation stands for, with `Annotated` and unions taken apart."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [m for part in get_args(annotation) if part is not NoneType for m in _members(part)]
    return [annotation]


def _field_names(spec_class: type[BaseModel], loc: list[str | int]) -> list[str]:
    """The keys allowed at a place, in the order of the descriptions."""
    types: list[Any] = [spec_class]
    for part in loc:
        # A name that pydantic gives to a member of a union: its class or its `kind`.
        below: list[Any] = [t for t in types if _is_called(t, part)] if len(types) > 1 else []
        for t in [] if below else types:
            if isinstance(t, type) and issubclass(t, BaseModel):
                if part in t.model_fields:
                    below += _members(t.model_fields[str(part)].annotation)
            elif get_origin(t) is dict:
                below += _members(get_args(t)[1])
            elif get_origin(t) in (list, tuple) and isinstance(part, int):
                below += _members(get_args(t)[0])
        types = below or types
    models = [t for t in types if isinstance(t, type) and issubclass(t, BaseModel)]
    return list(dict.fromkeys(name for t in models for name in t.model_fields))


def _is_called(t: Any, name: str | int) -> bool:
    if not (isinstance(t, type) and issubclass(t, BaseModel)):
        return False
    kind = t.model_fields.get("kind")
    return t.__name__ == name or (kind is not None and kind.default == name)
