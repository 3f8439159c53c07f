"""`myriad explain`: why an estimate is what it is, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myriad.cli import completion, options
from myriad.cli.layout_options import given_options, read_laid_out, takes_layout
from myriad.cli.options import (
    JsonFile,
    LanguageCode,
    at,
    check_belongs,
    check_language,
    one_subject,
)
from myriad.cli.output import STANDARD_OUTPUT, check_outputs, json_text, progress, show, write

if TYPE_CHECKING:
    from myriad.spec.explanation import Explanation

EXAMPLES: Final = """\b
Examples:
  myriad explain --row mb-254
  myriad explain system.yaml --job pretrain
  myriad explain --model llama3.1-8b --cluster h100:8 --tp 2
    --seq-len 8192 --global-batch 128"""

#: Options that go with one of the three things to explain.
_OF_FILE: Final = ("job",)
_OF_ROW: Final = ("rows", "models")


@takes_layout
def explain(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="System file: explain what is chosen for one of its jobs.")
    ] = None,
    job: Annotated[str | None, typer.Option(metavar="NAME", help="With FILE: the job, where it has several.")] = None,
    row: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Explain a measured run and its error.", autocompletion=completion.rows),
    ] = None,
    rows: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="With --row: your runs instead of the shipped ones.")
    ] = None,
    models: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="With --row: architectures that the catalog lacks.")
    ] = None,
    model: Annotated[str | None, options.MODEL] = None,
    cluster: Annotated[str | None, options.CLUSTER] = None,
    seq_len: Annotated[str | None, options.SEQ_LEN] = None,
    global_batch: Annotated[str | None, options.GLOBAL_BATCH] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
    **of_layout: Any,
) -> None:
    """Explain an estimate: where the time goes, what its band rests on, what it depends on, what would change it.

    Of a measured run, of what is chosen for a job of a system file, or of one layout.
    """
    given = given_options(**locals())
    check_language(lang)
    inputs = (path for path in (file, rows, models, given.get("layout")) if path is not None)
    check_outputs({"--json": json_file}, *inputs)
    given = {name: value for name, value in given.items() if name not in ("json_file", "lang")}
    result = _explained(given)
    if json_file is not None:
        write(json_file, json_text(result.model_dump(mode="json")))
    if json_file != STANDARD_OUTPUT:
        from myriad.report.explanation import explanation_text

        show(explanation_text(result, lang))


def _explained(given: Mapping[str, Any]) -> Explanation:
    from myriad import api

    match one_subject(given, ("file", "row", "model")):
        case "file":
            check_belongs(given, ("file", *_OF_FILE))
            with progress(f"planning {given['file'].name}") as step:
                return api.explain_plan(given["file"], given.get("job"), step)
        case "row":
            check_belongs(given, ("row", *_OF_ROW))
            with at("--row"):
                return api.explain_row(given["row"], given.get("rows"), given.get("models"))
        case _:
            check_belongs(given, (name for name in given if name not in (*_OF_FILE, *_OF_ROW)))
            named, machines, work, one, _ = read_laid_out(given)
            return api.explain_training(named, machines, one, work)
