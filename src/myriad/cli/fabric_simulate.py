"""`myriad fabric simulate`: what a collective, or a planned training step, gets from a fabric."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from myriad.cli import completion
from myriad.cli.fabric_conditions import (
    EfficiencyOption,
    FlowsPerPair,
    FreeOption,
    LinksDown,
    PlacementOption,
    RoutingOption,
    SeedOption,
    SlowLinks,
    SwitchesDown,
    conditions_of,
)
from myriad.cli.options import CLUSTER, JsonFile, LanguageCode, check_language, flag_of, plan_file, read_flags
from myriad.cli.output import answer, check_outputs, progress, say, write
from myriad.errors import SpecError

EXAMPLES: Final = """\b
Examples:
  myriad fabric simulate fat-tree-ndr-rails --cluster hgx-h800:10000
    --collective all-reduce --size 1GiB
  myriad fabric simulate fat-tree-ndr --cluster dgx-h100:4096
    --collective all-to-all --size 256MiB --group 64
    --routing ecmp --flows-per-pair 4 --links-down 1%
  myriad fabric simulate fat-tree-ndr-rails --system system.yaml
    --job flagship-pretrain --switches-down spine:1"""

_COLLECTIVE = ("cluster", "collective", "algorithm", "size", "group", "stride", "jobs")
_STEP = ("system", "job", "plan")


def simulate(
    fabric: Annotated[
        str,
        typer.Argument(
            metavar="FABRIC", help="Fabric of the catalog, or a YAML file.", autocompletion=completion.fabrics
        ),
    ],
    cluster: Annotated[str | None, CLUSTER] = None,
    collective: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="all-reduce, all-gather, reduce-scatter, all-to-all, broadcast, send-recv."),
    ] = None,
    algorithm: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="ring, tree, hierarchical, in-switch, ... (default: the usual one)."),
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="BYTES", help="As nccl-tests count it: 1GiB (default 1GiB).")
    ] = None,
    group: Annotated[str | None, typer.Option(metavar="COUNT", help="Ranks per group (default: all of a job).")] = None,
    stride: Annotated[
        str | None, typer.Option(metavar="COUNT", help="Distance of a group's ranks in rank order (default 1).")
    ] = None,
    jobs: Annotated[str | None, typer.Option(metavar="COUNT", help="Equal jobs side by side (default 1).")] = None,
    system: Annotated[
        Path | None, typer.Option(metavar="FILE", help="System file: simulate the step of one of its jobs.")
    ] = None,
    job: Annotated[str | None, typer.Option(metavar="NAME", help="Job of the system file.")] = None,
    plan: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its plan, as plan --json writes it (else it is planned).")
    ] = None,
    placement: PlacementOption = None,
    free: FreeOption = None,
    routing: RoutingOption = None,
    flows_per_pair: FlowsPerPair = None,
    links_down: LinksDown = None,
    slow: SlowLinks = None,
    switches_down: SwitchesDown = None,
    efficiency: EfficiencyOption = None,
    seed: SeedOption = "0",
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page: the fabric drawn, and how full its links are.")
    ] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Simulate traffic on a fabric flow by flow: a collective, or the step of a planned job."""
    check_language(lang)
    all_given: dict[str, Any] = {
        "cluster": cluster, "collective": collective, "algorithm": algorithm, "size": size, "group": group,
        "stride": stride, "jobs": jobs, "system": system, "job": job, "plan": plan,
    }  # fmt: skip
    given = {name: value for name, value in all_given.items() if value is not None}
    _check_subject(given)
    inputs = [path for path in (system, plan) if path is not None]
    check_outputs({"--html": html, "--json": json_file}, *inputs)
    conditions = conditions_of(
        placement, free, routing, flows_per_pair, links_down, slow, switches_down, efficiency, seed
    )
    from myriad import __version__, api
    from myriad.report.traffic_page import step_html, traffic_html
    from myriad.report.traffic_text import step_text, traffic_text
    from myriad.spec.traffic import CollectiveTraffic

    result: Any
    page: Any
    if "system" in given:
        planned = plan_file(plan)
        with progress("simulating") as step:
            result = api.step_on_fabric(
                fabric, given["system"], given["job"], conditions, planned, step("simulating"), html is not None
            )
        shown, page = step_text(result, lang), step_html
    else:
        asked = {"size": "1GiB", **{name: given[name] for name in _COLLECTIVE[1:] if name in given}}
        traffic = read_flags(CollectiveTraffic, asked)
        with progress("simulating") as step:
            result = api.simulate_collective(
                fabric, given["cluster"], traffic, conditions, step("simulating"), html is not None
            )
        shown, page = traffic_text(result, lang), traffic_html
    if html is not None:
        write(html, page(result, __version__, lang))
    answer(result, json_file, shown)
    if html is not None:
        say(f"page: {html}")


def _check_subject(given: dict[str, Any]) -> None:
    """Raises SpecError unless either a collective on a cluster or a job of a system file is asked for."""
    needed, others = (_STEP[:2], _COLLECTIVE) if "system" in given else (_COLLECTIVE[:2], _STEP)
    for name in others:
        if name in given:
            subject = "--system" if "system" in given else "--collective"
            raise SpecError(f"{flag_of(name)}: does not go with {subject}")
    for name in needed:
        if name not in given:
            raise SpecError(f"expected --cluster and --collective, or --system and --job; {flag_of(name)} is missing")
