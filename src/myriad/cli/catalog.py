"""`myriad catalog`: what is known, and who says so."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myriad.cli import completion
from myriad.cli.options import JsonFile
from myriad.cli.output import STANDARD_OUTPUT, check_outputs, json_text, say, show, write
from myriad.errors import SpecError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from myriad.catalog import Entry, Figure
    from myriad.spec.model import Model


SHOW_EXAMPLES: Final = """\b
Examples:
  myriad catalog show gb200-nvl72
  myriad catalog show kernels default"""
IMPORT_EXAMPLES: Final = """\b
Examples:
  myriad catalog import config.json --name my-model --output my-catalog/models/my-model.yaml"""


def list_(
    kind: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND]",
            help="accelerators, nodes, models, stacks, kernels, prices, quantisations, switches, fabrics, optics, "
            "bills, reliability or mixes.",
            autocompletion=completion.kinds,
        ),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """List entries, all or of one kind."""
    check_outputs({"--json": json_file})
    from myriad import api

    _present(api.list_entries(kind), json_file)


def search(
    text: Annotated[list[str], typer.Argument(metavar="TEXT", help="Words that all must appear.")],
    json_file: JsonFile = None,
) -> None:
    """Search ids, titles, aliases and notes."""
    check_outputs({"--json": json_file})
    from myriad import api

    found = api.search_entries(" ".join(text))
    if not found:
        raise SpecError(f"nothing in the catalog has the words {' '.join(text)!r}")
    _present(found, json_file)


def show_(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[KIND] NAME", help="Id or alias; KIND where several have it.", autocompletion=completion.entries
        ),
    ],
    json_file: JsonFile = None,
) -> None:
    """Show one entry: every figure with its kind and source."""
    check_outputs({"--json": json_file})
    if len(words) > 2:
        raise SpecError(f"expected [KIND] NAME, found {len(words)} words: {' '.join(words)}")
    from myriad import api
    from myriad.spec.model import Model

    entry = api.entry_of(words[-1], words[0] if len(words) == 2 else None)
    if json_file is not None:
        write(json_file, json_text(_values(entry)))
    if json_file == STANDARD_OUTPUT:
        return
    show(*_entry_text(entry))
    if isinstance(entry.spec, Model):
        show(f"\n{_counts(entry.spec)}")


def import_(
    file: Annotated[Path, typer.Argument(metavar="CONFIG.JSON", help="Configuration of a Hugging Face model.")],
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Name of the model (default: the configuration's own, or the folder's)."),
    ] = None,
    source: Annotated[str | None, typer.Option(metavar="TEXT", help="Where the configuration was published.")] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the entry there instead of printing it.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Turn a Hugging Face config.json into a catalog entry."""
    check_outputs({"--output": output, "--json": json_file}, file)
    from myriad import api

    model = api.import_model(file, name)
    text = api.model_entry_text(model, source or f"Hugging Face {file.name} of {model.name}")
    if json_file is not None:
        write(json_file, json_text(model.model_dump(mode="json")))
    if output is not None:
        write(output, text)
    elif json_file != STANDARD_OUTPUT:
        write(STANDARD_OUTPUT, text)
    say(_counts(model))


def _present(entries: list[Entry], json_file: Path | None) -> None:
    if json_file is not None:
        keys = ("kind", "id", "title", "aliases")
        write(json_file, json_text([{key: getattr(entry, key) for key in keys} for entry in entries]))
    if json_file != STANDARD_OUTPUT:
        show(*_list_text(entries))


def _list_text(entries: list[Entry]) -> Iterable[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    for kind in dict.fromkeys(entry.kind for entry in entries):
        of_kind = [entry for entry in entries if entry.kind == kind]
        yield Text(f"{kind} ({len(of_kind)})", style="bold")
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for entry in of_kind:
            table.add_row(f"  {entry.id}", entry.title)
        yield table


def _entry_text(entry: Entry) -> Iterable[RenderableType]:
    from rich.padding import Padding
    from rich.text import Text

    yield Text(f"{entry.title}", style="bold")
    yield f"{entry.kind} {entry.id}" + (f"; also called {', '.join(entry.aliases)}" if entry.aliases else "")
    yield from entry.notes
    yield ""
    width = min(34, max(len(path) for path in entry.figures))
    for path, figure in entry.figures.items():
        yield f"{path:<{width}}  {_value(figure.value)}  [{figure.kind}: {figure.source}]"
        for remark in _remarks(figure):
            yield Padding(remark, (0, 0, 0, 4), expand=False)
    yield Text("\nsources", style="bold")
    for key, source in entry.sources.items():
        read = f", read on {source.read_on}" if source.read_on else ""
        yield f"{key}: {source.title}{read}"
        for line in (source.url, source.note):
            if line:
                yield Padding(line, (0, 0, 0, 4), expand=False)


def _value(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _remarks(figure: Figure) -> list[str]:
    named = (("", figure.note), ("others say: ", figure.conflict), ("uncertainty: ", figure.uncertainty))
    return [label + text for label, text in named if text]


def _values(entry: Entry) -> dict[str, Any]:
    return {
        "kind": entry.kind,
        "id": entry.id,
        "title": entry.title,
        "aliases": entry.aliases,
        "notes": entry.notes,
        "spec": entry.spec.model_dump(mode="json"),
        "figures": [figure.model_dump(mode="json") for figure in entry.figures.values()],
        "sources": {key: source.model_dump(mode="json") for key, source in entry.sources.items()},
    }


def _counts(model: Model) -> str:
    from myriad import api
    from myriad.report.language import language
    from myriad.report.numbers import Numbers

    counts = api.parameters_of(model)
    numbers = Numbers(language("en"))
    total, active = numbers.large(counts.total), numbers.large(counts.active)
    return f"{model.name}: {total} parameters, {active} active per token"
