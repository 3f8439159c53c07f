"""MkDocs hook: writes the figures, plots and explanations of the accuracy page from the code that they are about.

<!-- accuracy: summary -->     errors of the fit and of fits that left groups out
<!-- accuracy: groups -->      the same by group
<!-- accuracy: bands -->       widths of bands, and whether they hold
<!-- accuracy: parameters -->  every fitted factor
<!-- accuracy: plots -->       predicted against measured
<!-- accuracy: memory -->      memory judgement by software and accelerator
<!-- accuracy: worst -->       the worst rows, each explained
<!-- accuracy: serving -->     errors of the serving estimate, in all, by fits that left groups out, and by group
<!-- accuracy: devices -->     errors of speeds on devices, in all and by group
<!-- accuracy: interconnect --> errors of collectives and expert exchanges, in all and by group
<!-- accuracy: links -->       errors of links on tables of measured operators
<!-- accuracy: reliability --> failures, MTTF, ETTR and checkpoint overheads beside published ones
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from myriad import catalog
from myriad.api import (
    explain_row,
    validate_device,
    validate_interconnect,
    validate_reliability,
    validate_serving,
    validate_training,
)
from myriad.report.accuracy import LEFT_OUT_WORDS
from myriad.report.language import language
from myriad.report.reliability_accuracy import shown_error, shown_figure
from myriad.report.scatter import scatter_svg
from myriad.spec.explanation import Assumption, Explanation
from myriad.spec.on_device import DeviceGroup
from myriad.spec.reliability_validation import ReliabilityRow
from myriad.spec.serving_validation import ErrorSummary
from myriad.spec.validation import Fitted, GroupError, RowResult, Validation
from myriad.validate.training import grouped

MARK = re.compile(r"<!-- accuracy: (\w+) -->")
CAUSES = Path(__file__).with_name("accuracy-causes.yaml")
WORST = 20
WORDS = language("en")
_ERRORS = "| rows | mean | median | p90 | bias |"
_RULE = "--:|--:|--:|--:|--:|"


@cache
def validation() -> Validation:
    """The judgement of the shipped runs; made once for a page."""
    return validate_training()


def _fitted() -> Fitted:
    fitted = validation().fitted
    if fitted is None:
        raise ValueError("the shipped calibration has no left-out errors: run python -m myriad.calibrate training")
    return fitted


def _all(result: Validation) -> GroupError:
    names = ("mean_abs_error", "median_abs_error", "p90_abs_error", "bias")
    return GroupError(rows=result.predicted, **{name: getattr(result, name) for name in names})


def _cells(errors: GroupError) -> str:
    shown = (errors.mean_abs_error, errors.median_abs_error, errors.p90_abs_error)
    return f"{errors.rows} | " + " | ".join(f"{value:.1%}" for value in shown) + f" | {errors.bias:+.1%}"


def summary() -> str:
    """Errors over all rows: of the fit to all of them, and of fits that had not seen the row's group."""
    fitted, result = _fitted(), validation()
    rows = [f"| what the fit had seen {_ERRORS}", f"|---|{_RULE}", f"| all runs | {_cells(_all(result))} |"]
    rows += [
        f"| all runs but those of the same {LEFT_OUT_WORDS[kind]} | {_cells(one.overall)} |"
        for kind, one in fitted.left_out.items()
    ]
    said = (
        f"{result.predicted} of {result.rows} rows are predicted; {fitted.parameters} parameters were fitted to "
        f"{fitted.rows} runs, {fitted.rows / fitted.parameters:.0f} runs for each parameter."
    )
    return f"{said}\n\n" + "\n".join(rows)


def groups() -> str:
    """One table per kind of group: of the fit, and where that kind can be left out, of fits without the group."""
    fitted, result = _fitted(), validation()
    tables = []
    for kind in ("family", *fitted.left_out, "precision"):
        left_out = fitted.left_out.get(kind)
        names = LEFT_OUT_WORDS.get(kind, kind)
        head = "| left out: mean | median | p90 | bias |" if left_out else ""
        rows = [f"| {names} {_ERRORS}{head[1:]}", f"|---|{_RULE}{'--:|--:|--:|--:|' if left_out else ''}"]
        for name, errors in sorted(result.groups[kind].items(), key=lambda item: (-item[1].rows, item[0])):
            without = f" {_cells(left_out.groups[name]).partition(' | ')[2]} |" if left_out else ""
            rows.append(f"| {name} | {_cells(errors)} |{without}")
        tables.append("\n".join(rows))
    return "\n\n".join(tables)


def bands() -> str:
    """Widths of bands as factors on the step time, and the share of left-out runs that they hold."""
    found = _fitted().bands
    rows = ["| model | step time between |", "|---|---|"]
    for family, width in found.families.items():
        rows.append(f"| {family} | estimate / {math.exp(width):.2f} and estimate × {math.exp(width):.2f} |")
    more = (
        f"For software that no run was fitted of, {_wider(found.unknown_stack)}; "
        f"for such an accelerator, {_wider(found.unknown_accelerator)}."
    )
    held = ["| left out | inside the band |", "|---|--:|"]
    for kind, one in _fitted().left_out.items():
        if one.in_band is not None:
            held.append(f"| {LEFT_OUT_WORDS[kind]} | {one.in_band:.0%} |")
    aim = f"The aim is {found.share:.0%}. Each band below was made without the group that it is held against:"
    return "\n\n".join(("\n".join(rows), more, aim, "\n".join(held)))


def _wider(width: float) -> str:
    return "nothing is added" if width < 5e-3 else f"a factor of {math.exp(width):.2f} is added (logarithms in squares)"


def parameters() -> str:
    """Every fitted factor with its meaning, its value and how far it may be off."""
    rows = [
        "| factor | value | may be off by | was allowed | runs |",
        "|---|--:|--:|--:|--:|",
    ]
    for one in catalog.training_fit().factors:
        rows.append(
            f"| {one.meaning} | {one.factor:.3f} | ± {math.expm1(one.uncertainty):.0%} | "
            f"± {math.expm1(one.spread):.0%} | {one.rows} |"
        )
    return "\n".join(rows)


def plots() -> str:
    """Predicted against measured, by accelerator and by family."""
    shown = []
    for kind in ("accelerator", "family"):
        picture = scatter_svg(grouped(validation().per_row, kind), _fitted().bands, alone=False).strip()
        shown.append(f'<div class="accuracy">{picture}</div>')
    return "\n\n".join(shown)


def memory() -> str:
    """How many runs are judged to fit, and printed peaks, by software and accelerator."""
    found = validation().memory
    said = (
        f"{found.fitting} of {found.rows} runs whose layout can be written in full are judged to fit "
        f"({found.fitting_fraction:.1%}); all of them ran. {found.peak_rows} runs print a memory peak; the estimate is "
        f"off by {found.peak_mean_abs_error:.1%} in the mean, bias {found.peak_bias:+.1%}."
    )
    rows = ["| group | runs | fit | peaks | mean error | p90 | bias |", "|---|--:|--:|--:|--:|--:|--:|"]
    for kind, of_kind in found.groups.items():
        for name, group in of_kind.items():
            peak = group.peak
            cells = (
                f"{peak.rows} | {peak.mean_abs_error:.1%} | {peak.p90_abs_error:.1%} | {peak.bias:+.1%}"
                if peak
                else "| | |"
            )
            rows.append(f"| {LEFT_OUT_WORDS[kind]}: {name} | {group.rows} | {group.fitting} | {cells} |")
    return f"{said}\n\n" + "\n".join(rows)


@cache
def causes() -> tuple[Mapping[str, Any], ...]:
    """The entries of the hand-written file."""
    return tuple(yaml.safe_load(CAUSES.read_text("utf-8")))


def cause_of(row: RowResult) -> Mapping[str, Any] | None:
    """The first entry of which every field fits the row: by its pattern, or by one of a list of them."""
    for entry in causes():
        if all(_fits(str(getattr(row, field)), patterns) for field, patterns in entry["match"].items()):
            return entry
    return None


def _fits(value: str, patterns: str | list[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in ([patterns] if isinstance(patterns, str) else patterns))


def worst() -> str:
    """The worst rows with what the data says about each, gathered under the causes that people found."""
    rows = validation().per_row[:WORST]
    lacking = [row.id for row in rows if cause_of(row) is None]
    if lacking:
        raise ValueError(f"{CAUSES.name}: no cause for {', '.join(lacking)}")
    gathered: dict[str, list[RowResult]] = {}
    for row in rows:
        gathered.setdefault((cause_of(row) or {})["name"], []).append(row)
    named = {entry["name"]: entry for entry in causes()}
    return "\n\n".join(_gathered(named[name], of_cause) for name, of_cause in gathered.items())


def _gathered(cause: Mapping[str, Any], rows: Iterable[RowResult]) -> str:
    cited = " ".join(cause["cause"].split())
    settled = " ".join(cause["settled_by"].split())
    shown = "\n\n".join(_explained(explain_row(row.id)) for row in rows)
    return f"### {cause['name']}\n\n{cited} **What would settle it:** {settled}\n\n{shown}"


def _explained(explanation: Explanation) -> str:
    ground = explanation.row
    assert ground is not None
    result = ground.result
    left_out = ", ".join(f"{error:+.0%} without its {LEFT_OUT_WORDS[k]}" for k, error in result.left_out_errors.items())
    lines = [
        f"**`{result.id}`: {result.error:+.0%}.** {explanation.subject.partition(': ')[2]}; {result.layout}. "
        f"Measured {result.measured:,.0f}, predicted {result.predicted:,.0f} tokens/s per GPU, "
        f"{'inside' if ground.in_band else 'outside'} its band; {left_out}.",
        "",
        f"- Time: {_parts(explanation)}.",
        f"- Depends most on: {_strongest(explanation.assumptions)}.",
        f"- {_alike(explanation)}",
        *([f"- Not in the source: {'; '.join(result.assumed)}."] if result.assumed else []),
    ]
    return "\n".join(lines)


def _parts(explanation: Explanation) -> str:
    estimate = explanation.estimate
    largest = sorted(estimate.time_parts_s.items(), key=lambda item: -item[1])[:5]
    return ", ".join(f"{WORDS(f'part.{part}')} {seconds / estimate.step_s:.0%}" for part, seconds in largest)


def _strongest(assumptions: Iterable[Assumption]) -> str:
    said = []
    for one in list(assumptions)[:3]:
        name = one.meaning if one.kind == "fitted" else f"`{one.figures[0]}` ({one.kind})"
        said.append(f"{name}, {one.change_fraction:.1%}")
    return "; ".join(said)


def _alike(explanation: Explanation) -> str:
    ground = explanation.row
    assert ground is not None
    of_kind = f"{ground.result.family} models on this accelerator, in this precision and software."
    kin = f"{ground.kin} other runs of {of_kind}" if ground.kin else f"No other run of {of_kind}"
    if not ground.alike:
        return f"Alone: no other run of this job. {kin}"
    rates = ", ".join(
        f"`{a.id}` ({a.software}{', tokens dropped' if a.expert_capacity else ''}) {a.over_this:.2f}"
        for a in ground.alike[:6]
    )
    return f"Same job elsewhere, as rate over this one's: {rates}. {kin}"


def serving() -> str:
    """Errors of the serving estimate: of the shipped figures, of fits that left something out, by group."""
    result = validate_serving()
    left = {f"by fits without the row's {kind}": one.overall for kind, one in result.left_out.items()}
    tables = [_serving_table("what the fit had seen", {"all rows": result.overall, **left})]
    tables += [
        _serving_table(kind, result.groups[kind])
        for kind in ("engine", "accelerator", "model", "precision", "deployment", "concurrency", "speculation")
    ]
    tables += [_serving_table(f"left out: each {kind}", one.groups) for kind, one in result.left_out.items()]
    offline = result.groups["mode"].get("offline")
    throughput = (
        ""
        if offline is None or offline.throughput is None
        else (
            f" Throughput of offline rows: mean {offline.throughput.mean_abs_error:.1%}, median "
            f"{offline.throughput.median_abs_error:.1%}, bias {offline.throughput.bias:+.1%}, "
            f"{offline.throughput.rows} rows."
        )
    )
    skipped = "; ".join(f"{count}: {reason}" for reason, count in result.skipped.items())
    return f"{result.predicted} of {result.rows} rows are predicted.{throughput} Skipped: {skipped}.\n\n" + "\n\n".join(
        tables
    )


def _serving_table(head: str, groups: Mapping[str, ErrorSummary]) -> str:
    rows = [
        f"| {head} | TPOT: rows | median | mean | TTFT: rows | median | mean | throughput: rows | median | mean |",
        "|---|" + "--:|" * 9,
    ]
    for name, group in groups.items():
        cells = [
            f"{one.rows} | {one.median_abs_error:.1%} | {one.mean_abs_error:.1%}" if one else " | | "
            for one in (group.tpot, group.ttft_unsaturated, group.throughput)
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def devices() -> str:
    """Errors of speeds on devices: of the shipped figures, of fits that left models or chips out, and of equal rows."""
    result = validate_device()
    noise = {"rows that should be equal, one against the other": result.noise["repeated"]}
    left = {f"models and chips but the row's {kind}": one for kind, one in result.fitted.items() if kind != "fitted"}
    tables = [_device_table("what the fit had seen", {"all rows": result.overall, **left, **noise})]
    tables += [
        _device_table(kind, result.groups[kind]) for kind in ("runtime and unit", "device class", "quantisation")
    ]
    skipped = "; ".join(f"{len(ids)}: {reason}" for reason, ids in result.skipped.items())
    return f"{result.predicted} of {result.rows} rows are predicted. Skipped: {skipped}.\n\n" + "\n\n".join(tables)


def _device_table(head: str, groups: Mapping[str, DeviceGroup]) -> str:
    rows = [f"| {head} | decode: rows | median | p90 | prefill: rows | median | p90 |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, group in groups.items():
        cells = [
            f"{one.rows} | {one.median:.1%} | {one.p90:.0%}" if one else " | | "
            for one in (group.decode, group.prefill)
        ]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def interconnect() -> str:
    """Errors of collectives and expert exchanges on published rows."""
    result = validate_interconnect()
    if result.overall is None:
        raise ValueError("no shipped row of the interconnect can be judged")
    tables = [f"| rows {_ERRORS}\n|---|{_RULE}\n| all | {_cells(result.overall)} |"]
    for kind, groups in result.groups.items():
        rows = [f"| {kind} {_ERRORS}", f"|---|{_RULE}"]
        rows += [f"| {name} | {_cells(errors)} |" for name, errors in groups.items()]
        tables.append("\n".join(rows))
    skipped = "; ".join(f"{len(ids)}: {reason}" for reason, ids in result.skipped.items())
    return f"{result.predicted} of {result.rows} rows are predicted. Skipped: {skipped}.\n\n" + "\n\n".join(tables)


def links() -> str:
    """Median errors of links on tables of measured operators, as `python -m myriad.calibrate judge` left them."""
    kept = json.loads((resources.files("myriad") / "data" / "kernels" / "residuals.json").read_text("utf-8"))["links"]
    sizes = list(dict.fromkeys(one["size"] for one in kept))
    rows = [f"| accelerator | collective | {' | '.join(sizes)} |", "|---|---|" + "--:|" * len(sizes)]
    for chip, collective in dict.fromkeys((one["accelerator"], one["collective"]) for one in kept):
        if chip == "l40s":
            continue
        of = [one for one in kept if (one["accelerator"], one["collective"]) == (chip, collective)]
        cells = [" · ".join(f"{one['errors']['median']:.0%}" for one in of if one["size"] == size) for size in sizes]
        rows.append(f"| {chip} | {collective} | {' | '.join(cells)} |")
    return "\n".join(rows)


def reliability() -> str:
    """Published failures and effective training times, every row, those that do not hold first."""
    result = validate_reliability()
    parts = ["| part | rows | hold | of which bounds |\n|---|--:|--:|--:|"]
    parts[0] += "".join(f"\n| {name} | {one.rows} | {one.hold} | {one.bounds} |" for name, one in result.parts.items())
    for name in result.parts:
        rows = [
            "| holds | figure | published | by formula | simulated | interval | error |",
            "|---|---|--:|--:|--:|--:|--:|",
        ]
        rows += [_reliability_row(row) for row in result.per_row if row.part == name]
        parts.append(f"**{name.capitalize() if name[0].islower() else name}**\n\n" + "\n".join(rows))
    unjudged = "\n".join(f"- {said}" for said in result.unjudged.values())
    return (
        f"{result.runs} lives of each row, seed {result.seed}.\n\n"
        + "\n\n".join(parts)
        + f"\n\nNot judged:\n\n{unjudged}"
    )


def _reliability_row(row: ReliabilityRow) -> str:
    claim = {"exact": "", "at-least": "≥ ", "projected": "projected "}[row.claim]
    published = "" if row.published is None else claim + shown_figure(row, row.published)
    formula, simulated = ("" if value is None else shown_figure(row, value) for value in (row.formula, row.simulated))
    interval = "" if row.low is None else f"{shown_figure(row, row.low)} to {shown_figure(row, row.high)}"
    notes = "".join(f"; *{note}*" for note in (row.note if not row.holds else "",) if note)
    taken = f"; taken: {', '.join(row.taken)}" if row.taken else ""
    cells = (published, formula, simulated, interval, shown_error(row))
    return f"| {'yes' if row.holds else '**no**'} | {row.what}{notes}{taken} | " + " | ".join(cells) + " |"


SECTIONS: Mapping[str, Callable[[], str]] = {
    "summary": summary,
    "groups": groups,
    "bands": bands,
    "parameters": parameters,
    "plots": plots,
    "memory": memory,
    "worst": worst,
    "serving": serving,
    "devices": devices,
    "interconnect": interconnect,
    "links": links,
    "reliability": reliability,
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fills the marks of a page; called by MkDocs."""
    return MARK.sub(lambda match: SECTIONS[match[1]](), markdown)
