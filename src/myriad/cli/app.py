"""The commands, put together. Each loads what it needs when it runs, so that help and completion come at once."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

import myriad
from myriad.cli import (
    calibrate,
    catalog,
    device,
    estimate,
    explain,
    fabric,
    goodput,
    job_mixes,
    jobs,
    launch,
    measure,
    mix,
    plan,
    reliability,
    runs,
    search,
    serving,
    serving_price,
    serving_simulate,
    simulate,
    sweep,
    timeline,
    validate,
    validate_interconnect,
    validate_reliability,
)
from myriad.errors import SpecError, unknown_name

EXAMPLES: Final = """\b
Everything about one system, from one file:
  myriad plan system.yaml --html report.html
  myriad simulate system.yaml --html twin.html
One question at a time:
  myriad estimate --model llama3.1-8b --cluster h100:8 --tp 2
    --seq-len 8192 --global-batch 128
  myriad search --model deepseek-v3 --cluster h800:2048
    --seq-len 4096 --global-batch 15360
  myriad sweep grid.yaml --out rows.csv --html sweep.html
  myriad mix --model llama3.1-405b --pool h800:8192 --pool h100:4096
    --distance 1200km --bandwidth 4Tbit/s
    --seq-len 8192 --global-batch 3072
  myriad device qwen3-4b --device snapdragon-8-elite
  myriad serving search --model qwen3-32b --cluster h200:32
    --input 4000 --output 1000 --ttft 2s --tpot 50ms
  myriad fabric compare fat-tree-ndr,deepseek-mpft --cluster dgx-h100:8192
  myriad goodput --cluster h100:16384 --reliability llama3-h100
    --model llama3.1-405b
  myriad jobs simulate --cluster dgx-a100-80gb:2416 --mix acme-kalos
    --policy fifo,slurm-backfill
  myriad explain --row mb-254
  myriad launch system.yaml --job pretrain --on local
  myriad status pretrain --watch
  myriad launch deployment.yaml --to launch
  myriad serving simulate --model qwen3-32b --cluster h200:8 --tp 2 --trace trace.csv
  myriad calibrate system.yaml --from pretrain-0003
  myriad validate training
  myriad reliability fit incidents.csv --nodes 512 --days 90 --out my-cluster.yaml
  myriad measure --to my-catalog
  myriad catalog show gb200-nvl72"""


class Group(TyperGroup):
    """Commands of which a misspelt one names the nearest, and which alone shows its help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ([] if ctx.resilient_parsing else ["--help"]))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands and not ctx.resilient_parsing:
            raise SpecError(unknown_name("command", args[0], self.commands))
        return super().resolve_command(ctx, args)


def _group(help_text: str, epilog: str | None = None) -> typer.Typer:
    return typer.Typer(cls=Group, help=help_text, epilog=epilog, rich_markup_mode=None, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"myriad {myriad.__version__}\n")
        raise typer.Exit


app = _group("Plan AI systems of ten thousand accelerators.", EXAMPLES)
judgements = _group("Hold estimates against measurements.")
services = _group("Serve models: estimate one deployment, search all of them, price their tokens.")
fabrics = _group("Join hosts: what a network is made of, how far it carries, several side by side.")
failures = _group("How clusters break: one's own, fitted from its logs, and published ones.")
works = _group("Many jobs on one cluster: simulate them, draw them, make mixes of them.")
entries = _group("Show what is known, and who says so.")


@app.callback()
def _myriad(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version.")
    ] = False,
) -> None:
    """Plan AI systems of ten thousand accelerators."""


app.command("plan", epilog=plan.EXAMPLES)(plan.plan)
app.command("simulate", epilog=simulate.EXAMPLES)(simulate.simulate)
app.command("estimate", epilog=estimate.EXAMPLES)(estimate.estimate)
app.command("explain", epilog=explain.EXAMPLES)(explain.explain)
app.command("search", epilog=search.EXAMPLES)(search.search)
app.command("sweep", epilog=sweep.EXAMPLES)(sweep.sweep)
app.command("timeline", epilog=timeline.EXAMPLES)(timeline.timeline)
app.command("device", epilog=device.EXAMPLES)(device.device)
app.command("mix", epilog=mix.EXAMPLES)(mix.mix)
app.command("goodput", epilog=goodput.EXAMPLES)(goodput.goodput)
services.command("simulate", epilog=serving_simulate.EXAMPLES)(serving_simulate.simulate)
app.command("calibrate", epilog=calibrate.EXAMPLES)(calibrate.calibrate)
app.command("launch", epilog=launch.EXAMPLES)(launch.launch)
app.command("runs", epilog=runs.RUNS_EXAMPLES)(runs.runs)
app.command("status", epilog=runs.STATUS_EXAMPLES)(runs.status)
app.command("logs", epilog=runs.LOGS_EXAMPLES)(runs.logs)
app.command("cancel", epilog=runs.CANCEL_EXAMPLES)(runs.cancel)
app.command("supervise", epilog=runs.SUPERVISE_EXAMPLES)(runs.supervise)
app.command("measure", epilog=measure.EXAMPLES)(measure.measure)
app.add_typer(services, name="serving")
fabric.register(fabrics)
app.add_typer(fabrics, name="fabric")
reliability.register(failures)
app.add_typer(failures, name="reliability")
works.command("simulate", epilog=jobs.EXAMPLES)(jobs.simulate)
works.command("draw", epilog=job_mixes.DRAW_EXAMPLES)(job_mixes.draw)
works.command("fit", epilog=job_mixes.FIT_EXAMPLES)(job_mixes.fit)
app.add_typer(works, name="jobs")
app.add_typer(judgements, name="validate")
app.add_typer(entries, name="catalog")
services.command("estimate", epilog=serving.ESTIMATE_EXAMPLES)(serving.estimate)
services.command("search", epilog=serving.SEARCH_EXAMPLES)(serving.search)
services.command("price", epilog=serving_price.EXAMPLES)(serving_price.price)
judgements.command("training", epilog=validate.EXAMPLES)(validate.training)
judgements.command("serving", epilog=validate.SERVING_EXAMPLES)(validate.serving)
judgements.command("ranking", epilog=validate.RANKING_EXAMPLES)(validate.ranking)
judgements.command("device", epilog=validate.DEVICE_EXAMPLES)(validate.device)
judgements.command("interconnect", epilog=validate_interconnect.EXAMPLES)(validate_interconnect.interconnect)
judgements.command("reliability", epilog=validate_reliability.EXAMPLES)(validate_reliability.reliability)
entries.command("list")(catalog.list_)
entries.command("show", epilog=catalog.SHOW_EXAMPLES)(catalog.show_)
entries.command("search")(catalog.search)
entries.command("import", epilog=catalog.IMPORT_EXAMPLES)(catalog.import_)
