"""`myriad timeline`: the operations of one step on the stages of its pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myriad.cli import options
from myriad.cli.layout_options import given_options, read_laid_out, takes_layout
from myriad.cli.options import (
    JsonFile,
    LanguageCode,
    check_belongs,
    check_language,
    one_subject,
)
from myriad.cli.output import STANDARD_OUTPUT, check_outputs, json_text, progress, say, show, write

if TYPE_CHECKING:
    from myriad.spec.timeline import StepTimeline

EXAMPLES: Final = """\b
Examples:
  myriad timeline --model llama3-70b --cluster h100:64 --tp 4 --pp 4 --vpp 2
    --seq-len 8192 --global-batch 64 --trace step.json --html step.html
  myriad timeline system.yaml --job pretrain"""

MOST_DRAWN: Final = 12_000
"""Operations in a page; of longer steps it holds the start, a part of the middle and the end."""


@takes_layout
def timeline(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="System file: the layout that is chosen for one of its jobs.")
    ] = None,
    job: Annotated[str | None, typer.Option(metavar="NAME", help="With FILE: the job, where it has several.")] = None,
    model: Annotated[str | None, options.MODEL] = None,
    cluster: Annotated[str | None, options.CLUSTER] = None,
    seq_len: Annotated[str | None, options.SEQ_LEN] = None,
    global_batch: Annotated[str | None, options.GLOBAL_BATCH] = None,
    json_file: JsonFile = None,
    trace_file: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="Write a trace for Perfetto or chrome://tracing.")
    ] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page that draws it.")
    ] = None,
    lang: LanguageCode = "en",
    **of_layout: Any,
) -> None:
    """Draw one step operation by operation: who computes, waits, sends and holds what, and when.

    Of one layout, or of what is chosen for a job of a system file.
    """
    given = given_options(**locals())
    check_language(lang)
    inputs = (path for path in (file, given.get("layout")) if path is not None)
    check_outputs({"--json": json_file, "--trace": trace_file, "--html": html_file}, *inputs)
    result = _timeline(
        {name: value for name, value in given.items() if name not in ("json_file", "trace_file", "html_file", "lang")}
    )
    if json_file is not None:
        write(json_file, json_text(result.model_dump(mode="json")))
    if trace_file is not None:
        from myriad.report.trace import timeline_trace

        write(trace_file, timeline_trace(result))
    if html_file is not None:
        from myriad import api
        from myriad.report.timeline_page import timeline_html

        write(html_file, timeline_html(api.shortened(result, MOST_DRAWN), lang))
    if json_file != STANDARD_OUTPUT:
        from myriad.report.timeline import timeline_text

        show(timeline_text(result, lang))
        for what, path in (("trace", trace_file), ("page", html_file)):
            if path is not None:
                say(f"{what}: {path}")


def _timeline(given: Mapping[str, Any]) -> StepTimeline:
    from myriad import api

    if one_subject(given, ("file", "model")) == "file":
        check_belongs(given, ("file", "job"))
        with progress(f"planning {given['file'].name}") as step:
            return api.timeline_of_plan(given["file"], given.get("job"), step)
    check_belongs(given, (name for name in given if name != "job"))
    named, machines, work, one, _ = read_laid_out(given)
    return api.timeline_of(named, machines, one, work)
