"""What the catalog knows, and models from elsewhere read into its form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from myriad import catalog
from myriad.catalog.huggingface import model_from_config, to_entry_yaml
from myriad.catalog.yaml_file import read_text
from myriad.errors import SpecError, unknown_name
from myriad.estimate.parameters import ModelCounts, model_parameters
from myriad.spec.model import Model


def list_entries(kind: str | None = None) -> list[catalog.Entry]:
    """All entries of one kind, or of every kind. Raises SpecError for an unknown kind."""
    kinds = catalog.KINDS if kind is None else (_kind(kind),)
    return [entry for one in kinds for entry in catalog.entries(one)]


def entry_of(name: str, kind: str | None = None) -> catalog.Entry:
    """The entry with this id or alias; without a kind, the first in the order of `catalog.KINDS`.

    Raises SpecError with the nearest names.
    """
    if kind is not None:
        return catalog.entry(_kind(kind), name)
    for one in catalog.KINDS:
        if catalog.find(one, name) is not None:
            return catalog.entry(one, name)
    known = [text for entry in list_entries() for text in (entry.id, *entry.aliases)]
    raise SpecError(unknown_name("catalog entry", name, known))


def search_entries(text: str) -> list[catalog.Entry]:
    """Entries that have every word of the text in their id, title, aliases or notes."""
    if not text.strip():
        raise SpecError("nothing to search for")
    return catalog.search(text)


def parameters_of(model: str | Model) -> ModelCounts:
    """Parameter counts that follow from the architecture."""
    return model_parameters(catalog.model(model) if isinstance(model, str) else model)


def import_model(path: Path, name: str | None = None) -> Model:
    """The model that a Hugging Face `config.json` describes.

    Without a name it takes the one that the configuration gives itself (`_name_or_path`), or that of
    the folder the file lies in. Raises SpecError with the file and the key.
    """
    config = _config(path)
    if name is None:
        given = config.get("_name_or_path")
        name = Path(given).name if isinstance(given, str) and given.strip("./") else path.resolve().parent.name
    if not name.strip():
        raise SpecError(f"{path}: the model has no name; give one")
    try:
        return model_from_config(config, name)
    except SpecError as error:
        raise SpecError(f"{path}: {str(error).removeprefix(f'{name}: ')}") from None


def model_entry_text(model: Model, source: str) -> str:
    """The model as a catalog file; `source` says where its configuration was published."""
    return to_entry_yaml(model, source)


def _kind(kind: str) -> catalog.Kind:
    for one in catalog.KINDS:
        if kind == one:
            return one
    raise SpecError(unknown_name("kind", kind, catalog.KINDS))


def _config(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file. Infinities pass: configurations of Mamba models have them in keys not read here."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise SpecError(f"{path}: key {twice!r} is given twice")
        return dict(pairs)

    text = read_text(path, "JSON")
    try:
        config = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise SpecError(f"{path}:{error.lineno}: not JSON: {error.msg[0].lower()}{error.msg[1:]}") from None
    except RecursionError:
        raise SpecError(f"{path}: not a config.json: nested too deep") from None
    except SpecError:
        raise
    except ValueError:
        raise SpecError(f"{path}: not a config.json: a number has too many digits") from None
    if not isinstance(config, dict):
        raise SpecError(f"{path}:1: expected the mapping of a config.json, found {type(config).__name__}")
    return config
