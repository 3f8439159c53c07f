"""Fit figures of the catalog to what was measured, or judge those that there are.

python -m myriad.calibrate kernels --ops DIR [--write]
python -m myriad.calibrate serving --ops DIR [--write]
python -m myriad.calibrate links --ops DIR
python -m myriad.calibrate judge --ops DIR [--write] [--json FILE|-]
python -m myriad.calibrate training [--write] [--cold]
python -m myriad.calibrate devices [--write]
python -m myriad.calibrate engines [--write]
python -m myriad.calibrate memory --validation FILE
python -m myriad.calibrate single-node
python -m myriad.calibrate mixes [--write]
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import resources
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

from myriad import catalog
from myriad.calibrate import engine_job, job
from myriad.calibrate.devices import fit_devices, written
from myriad.calibrate.entries import BLACKWELL, DATE, TABLES, default_text, entry_text
from myriad.calibrate.job_mixes import matched_mix, with_classes
from myriad.calibrate.judging import Judgement, json_text, judge_kernels, text
from myriad.calibrate.kernels import KernelFits, fit_kernels
from myriad.calibrate.link_judging import LinkJudgement, judge_links, links_text
from myriad.calibrate.links import fit_link
from myriad.calibrate.memory import PeakFit, fit_fragmentation, judge, leave_one_out, peaks_of
from myriad.calibrate.operators import operators
from myriad.calibrate.serving import ServingFits, fit_serving
from myriad.calibrate.serving_entries import default_section, section, serving_part, with_section
from myriad.calibrate.serving_judging import ServingJudgement, judge_serving, serving_text
from myriad.calibrate.serving_operators import serving_operators
from myriad.calibrate.single_node import fit_host, jobs
from myriad.catalog.fitted import DEVICES, FOLDER
from myriad.errors import MyriadError
from myriad.spec.calibration import Kernels
from myriad.spec.cluster import Link
from myriad.validate.device_cases import judged_cases
from myriad.validate.device_rows import shipped_device_rows
from myriad.validate.rows import shipped_rows
from myriad.validate.serving_rows import shipped_serving_rows

#: Entry -> (table, title, accelerators, generation of FlashAttention).
ENTRIES: dict[str, tuple[str, str, list[str], int]] = {
    "a100": ("a100_sxm", "A100 kernel efficiencies", ["a100-sxm-80gb", "a100-sxm-40gb", "a800-sxm"], 2),
    "h100": ("h100_sxm", "H100 kernel efficiencies", ["h100-sxm", "h200-sxm", "h800-sxm"], 3),
    "h100-500w": ("h100_sxm", "Kernel efficiencies of the H100 at 500 W", ["h100-sxm-96gb"], 3),
    "b200": ("b200_sxm", "B200 kernel efficiencies", ["b200-sxm", "b300-sxm"], 3),
    "gb200": ("gb200", "GB200 kernel efficiencies", ["gb200"], 3),
    "l40s": ("l40s", "L40S kernel efficiencies", ["l40s"], 2),
    "gb300": ("gb200", "Kernel efficiencies of the GB300 at 1,400 W", ["gb300"], 3),
}

RESIDUALS = "residuals.json"
"""File of the package's `data/kernels` that keeps the last judgement, for docs and reports."""
NOT_IN_DEFAULT = ("l40s",)
"""Tables whose fits the default entry leaves out: cards for serving, whose small products stay in their L2 cache."""


def _describe(name: str, fits: KernelFits) -> str:
    lines = [f"{name}: memory_fraction {fits.memory_fraction:.3f}, launch_s {fits.launch_s:.2e}"]
    for kind, table in (
        ("gemm", fits.gemm),
        ("grouped_gemm", fits.grouped_gemm),
        ("attention", {"bf16": fits.attention}),
    ):
        for precision, fit in table.items():
            values = " ".join(f"{v:.3g}" for v in fit.parameters)
            lines.append(
                f"  {kind:12} {precision:9} {values}  ({fit.num_rows} rows, {fit.median_error:.1%} median, "
                f"{fit.p90_error:.0%} 90th percentile)"
            )
    return "\n".join(lines) + "\n"


def _kernels(ops: Path, write: bool) -> None:
    folder = _folder()
    by_table: dict[str, KernelFits] = {}
    for name, (table, title, accelerators, flash_attention) in ENTRIES.items():
        if table not in by_table:
            by_table[table] = fit_kernels(ops, table, catalog.accelerator(accelerators[0]))
        fits = by_table[table]
        sys.stdout.write(_describe(name, fits))
        if write:
            text = entry_text(name, title, accelerators, fits, flash_attention, table.replace("_", "-"))
            _write_with_serving(folder / f"{name}.yaml", text)
    if write:
        trained_on = [fits for table, fits in by_table.items() if table not in NOT_IN_DEFAULT]
        _write_with_serving(folder / "default.yaml", default_text(trained_on))


def _write_with_serving(path: Path, text: str) -> None:
    """Write an entry anew; what serving was fitted to stays."""
    kept = serving_part(path.read_text("utf-8"))
    path.write_text(with_section(text, kept, None), "utf-8")


def _serving(ops: Path, write: bool) -> None:
    folder = _folder()
    by_table: dict[str, ServingFits] = {}
    sections: list[dict[str, Any]] = []
    for name, (table, _, accelerators, _) in ENTRIES.items():
        kernels = catalog.assumed("kernels", name).spec
        assert isinstance(kernels, Kernels)
        if table not in by_table:
            accelerator = catalog.accelerator(accelerators[0])
            near = catalog.node(str(accelerator.default_node)).scale_up_bytes_per_s_one_way
            found = fit_serving(ops, table, serving_operators(ops, table), accelerator, kernels, near)
            by_table[table] = found
            sys.stdout.write(_describe_serving(name, found))
            if table not in NOT_IN_DEFAULT:
                sections.append(section(found, kernels, blackwell=name in BLACKWELL))
        if write:
            fits = by_table[table]
            path = folder / f"{name}.yaml"
            part = section(fits, kernels, blackwell=name in BLACKWELL)
            path.write_text(with_section(path.read_text("utf-8"), part, fits), "utf-8")
    if write:
        path = folder / "default.yaml"
        path.write_text(with_section(path.read_text("utf-8"), default_section(sections), None), "utf-8")


def _describe_serving(name: str, found: ServingFits) -> str:
    lines = [f"{name}:"]
    for title, fit in found.fits.items():
        values = " ".join(f"{v:.3g}" for v in fit.parameters)
        lines.append(
            f"  {title:24} {values}  ({fit.num_rows} rows, {fit.median_error:.1%} median, "
            f"{fit.p90_error:.0%} 90th percentile)"
        )
    for title, extras in found.extras.items():
        lines.append(f"  {title:24} measured besides: {', '.join(f'{n} {v:.3g}' for n, v in extras.items())}")
    return "\n".join(lines) + "\n"


def _links(ops: Path) -> None:
    judgements: list[LinkJudgement] = []
    for name, (table, _, accelerators, _) in ENTRIES.items():
        if any(judged.accelerator == table for judged in judgements):
            continue
        link = _near_link(accelerators[0])
        judgements += judge_links(ops, table, link)
        if name in NOT_IN_DEFAULT:
            continue
        fit = fit_link(ops, table, link.bytes_per_s_one_way, sums_in_switch=link.reduction_share is not None)
        errors = ", ".join(f"{kind} {error:.1%}" for kind, error in fit.median_error.items())
        switch = (
            f", scale_up_reduction_share {fit.reduction[0]:.3f}, scale_up_reduction_start_s {fit.reduction[1]:.2e}"
            if fit.reduction
            else ""
        )
        sys.stdout.write(
            f"{name}: scale_up_efficiency {fit.efficiency:.3f}, scale_up_latency_s {fit.latency_s:.2e}, "
            f"scale_up_half_bytes {fit.half_bytes:.3g}, scale_up_start_s {fit.start_s:.2e}{switch}  (median errors: "
            f"{errors}; of those fitted {fit.fit.median_error:.1%}, 90th percentile {fit.fit.p90_error:.0%})\n"
        )
    sys.stdout.write("\n" + links_text(judgements))


def _near_link(accelerator: str) -> Link:
    """The scale-up link of the accelerator's usual node."""
    node = str(catalog.accelerator(accelerator).default_node)
    return catalog.cluster(f"{node}:{catalog.node(node).num_accelerators}").links[0]


def _judge(ops: Path, write: bool, json: str | None) -> None:
    judgements: list[Judgement] = []
    links: list[LinkJudgement] = []
    serving: list[ServingJudgement] = []
    left_out: dict[str, dict[str, int]] = {}
    for name, (table, _, accelerators, _) in ENTRIES.items():
        if table in left_out:
            continue
        accelerator = catalog.accelerator(accelerators[0])
        given = operators(ops, table)
        left_out[table] = given.left_out
        kernels = catalog.assumed("kernels", name).spec
        assert isinstance(kernels, Kernels)
        judgements += judge_kernels(table, given, accelerator, kernels)
        near = catalog.node(str(accelerator.default_node)).scale_up_bytes_per_s_one_way
        serving += judge_serving(ops, table, serving_operators(ops, table), accelerator, kernels, near)
        links += judge_links(ops, table, _near_link(accelerators[0]))
        sys.stderr.write(f"{name}: judged\n")
    as_json = json_text(judgements, links, serving, left_out, {"judged_on": DATE, "source": TABLES})
    if write:
        (_folder() / RESIDUALS).write_text(as_json, "utf-8")
    if json == "-":
        sys.stdout.write(as_json)
        return
    if json is not None:
        Path(json).write_text(as_json, "utf-8")
    sys.stdout.write(text(judgements, left_out) + "\n" + links_text(links) + "\n" + serving_text(serving))


def _training(cold: bool, rounds: int, workers: int, write: bool) -> None:
    runs = job.measured_runs(list(shipped_rows()))
    start = job.starting(() if cold else job.before())
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(f"fitting {len(start)} parameters to {len(runs)} runs")
        fitted = job.fit_runs(runs, start, rounds, workers, lambda n, of: bar.update(task, completed=n, total=of))
    result = job.calibration(runs, fitted)
    for factor in result.factors:
        sys.stdout.write(
            f"{factor.factor:6.3f}  ln +- {factor.uncertainty:.2f} of {factor.spread:.2f}  {factor.rows:4} runs  "
            f"{factor.meaning}\n"
        )
    sys.stdout.write(
        f"{len(result.factors)} parameters, {result.rows} runs; mean error of the fitted runs "
        f"{result.mean_abs_error:.1%}; bands hold {', '.join(f'{v:.0%} by {k}' for k, v in result.coverage.items())}\n"
    )
    if write:
        job.write(FOLDER, runs, fitted)


def _devices(write: bool) -> None:
    cases, _ = judged_cases(shipped_device_rows())
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(f"fitting {len(cases)} rows")
        fit = fit_devices(cases, lambda n, of: bar.update(task, completed=n, total=of))
    for one in (*fit.runtimes, None):
        name = f"{one.runtime} {'/'.join(one.units)}: {len(one.factors)} figures" if one else "all"
        sys.stdout.write(f"{name}, {one.rows if one else fit.rows} rows\n")
        for kind, group in (one or fit).errors.items():
            parts = [
                f"{speed} {found.median:.1%} median, {found.p90:.0%} 90th percentile"
                for speed, found in (("decode", group.decode), ("prefill", group.prefill))
                if found
            ]
            sys.stdout.write(f"  {'fitted' if kind == 'fitted' else kind + ' left out':15} {'; '.join(parts)}\n")
    if write:
        DEVICES.write_text(written(fit), "utf-8")


def _engines(rounds: int, write: bool) -> None:
    cases = engine_job.measured_cases(shipped_serving_rows())
    start = engine_job.starting()
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(f"fitting {len(start)} parameters to {len(cases)} runs")
        groups, fitted = engine_job.fit_cases(
            cases, start, rounds, lambda n, of: bar.update(task, completed=n, total=of)
        )
    result = engine_job.calibration(cases, fitted)
    for factor in result.factors:
        sys.stdout.write(
            f"{factor.factor:6.3f}  ln +- {factor.uncertainty:.2f} of {factor.spread:.2f}  {factor.rows:4} runs  "
            f"{factor.meaning}\n"
        )
    medians = ", ".join(f"{kind} {error:.1%}" for kind, error in result.median_abs_errors.items())
    sys.stdout.write(
        f"{len(result.factors)} parameters, {result.rows} runs in {len(groups)} groups; median errors of the fitted "
        f"runs: {medians}\n"
    )
    if write:
        engine_job.write(FOLDER, cases, fitted)


def _memory(validation: Path) -> None:
    peaks = peaks_of(validation)

    def write(name: str, fit: PeakFit) -> None:
        sys.stdout.write(
            f"{name}: fragmentation_fraction {fit.fragmentation_fraction:.3f}  ({fit.num_rows} rows, "
            f"{fit.mean_abs_error:.1%} mean error, bias {fit.bias:+.1%})\n"
        )

    write("all", judge(peaks, fit_fragmentation(peaks)))
    for stack, fit in leave_one_out(peaks).items():
        write(f"{stack}, by the others", fit)


def _single_node() -> None:
    found = fit_host(jobs())
    fit = found.fit
    sys.stdout.write(
        f"host_s_per_kernel {found.host_s_per_kernel:.3g}  ({fit.num_rows} rows fitted: {fit.median_error:.1%} median, "
        f"{fit.p90_error:.0%} 90th percentile; {found.judged_rows} rows judged: {found.judged_median_error:.1%} "
        f"median, {found.judged_p90_error:.0%} 90th percentile, bias {found.judged_bias:+.1%})\n"
    )


def _mixes(write: bool) -> None:
    for name in catalog.names("mixes"):
        path = _folder("mixes") / f"{name}.yaml"
        mix = matched_mix(name)
        sys.stdout.write(f"{name}: {len(mix.classes)} classes\n")
        if write:
            path.write_text(with_classes(path.read_text("utf-8"), mix), "utf-8")


def _folder(kind: str = "kernels") -> Path:
    return Path(str(resources.files("myriad"))) / "data" / kind


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 2 after one line that says what was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m myriad.calibrate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, does in (
        ("kernels", "fit kernel efficiencies"),
        ("serving", "fit kernels of serving engines"),
        ("links", "fit links, and judge those of the catalog"),
        ("judge", "judge the entries"),
    ):
        one = verbs.add_parser(verb, help=does)
        one.add_argument("--ops", type=Path, required=True, help="folder of <accelerator>__<operator>.parquet files")
        if verb != "links":
            one.add_argument("--write", action="store_true", help="write what was found into the catalog")
        if verb == "judge":
            one.add_argument("--json", help="write the judgement as JSON to this file, or to standard output for -")
    training = verbs.add_parser("training", help="fit training estimates to the shipped measured runs")
    training.add_argument("--write", action="store_true", help="write the shipped calibration")
    training.add_argument("--cold", action="store_true", help="start from the assumed figures, not from the last fit")
    training.add_argument("--rounds", type=int, default=3, help="times that the estimate is linearised and solved")
    training.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    engines = verbs.add_parser("engines", help="fit serving engines to the shipped measured runs")
    engines.add_argument("--write", action="store_true", help="write the shipped calibration")
    engines.add_argument("--rounds", type=int, default=3, help="times that the estimate is linearised and solved")
    devices = verbs.add_parser("devices", help="fit on-device speeds to the shipped rows")
    devices.add_argument("--write", action="store_true", help="write the shipped calibration")
    memory = verbs.add_parser("memory", help="fit fragmentation to printed memory peaks")
    memory.add_argument("--validation", type=Path, required=True, help="what `myriad validate training --json` wrote")
    verbs.add_parser("single-node", help="fit host time per kernel to the shipped steps of small models on one node")
    mixes = verbs.add_parser("mixes", help="derive the classes of job mixes from what their clusters published")
    mixes.add_argument("--write", action="store_true", help="write them into the catalog")
    given = parser.parse_args(arguments)
    try:
        match given.verb:
            case "kernels":
                _kernels(given.ops, given.write)
            case "serving":
                _serving(given.ops, given.write)
            case "links":
                _links(given.ops)
            case "judge":
                _judge(given.ops, given.write, given.json)
            case "engines":
                _engines(given.rounds, given.write)
            case "devices":
                _devices(given.write)
            case "memory":
                _memory(given.validation)
            case "single-node":
                _single_node()
            case "mixes":
                _mixes(given.write)
            case _:
                _training(given.cold, given.rounds, given.workers, given.write)
    except MyriadError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
