"""Models on devices, and how well their speeds are met, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from myriad.spec.on_device import DeviceErrors, DeviceGroup, DeviceOrCloud, DeviceSpeed, DeviceValidation
from myriad.units import format_bytes, format_seconds


def _table(*heads: str, left: int = 1) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for i, head in enumerate(heads):
        table.add_column(head, justify="left" if i < left else "right", overflow="fold")
    return table


def _rate(tokens_per_s: float, within: float | None) -> str:
    shown = f"{tokens_per_s:,.0f}" if tokens_per_s >= 100 else f"{tokens_per_s:.3g}"
    return shown + ("" if within is None else f" x{within:.1f}")


def _by(one: DeviceSpeed) -> str:
    return f"{one.runtime} {one.unit} {one.quantisation}"


def speeds_text(speeds: Sequence[DeviceSpeed]) -> Iterator[RenderableType]:
    """Speed, memory and energy, one line for each model, device, runtime, unit and quantisation."""
    first = speeds[0]
    yield Text(
        f"{first.prompt_tokens:,} tokens in, {first.output_tokens:,} out"
        + (f", {first.batch} at once" if first.batch > 1 else "")
        + (f", {first.devices} chips" if first.devices > 1 else ""),
        style="bold",
    )
    chips = list(dict.fromkeys(one.device for one in speeds))
    for model in dict.fromkeys(one.model for one in speeds):
        own = [one for one in speeds if one.model == model]
        if len(chips) == 1:
            yield Text(f"{model} on {chips[0]}", style="bold")
        yield _on_one(own) if len(chips) == 1 else _on_many(model, own)
    within = "; x: four of five models that the fit had not seen lie within this factor" if len(chips) == 1 else ""
    yield Text(f"decode, prefill: tokens/s{within}", style="dim")
    yield from (Text(note, style="dim") for note in _notes(speeds))


def _on_one(speeds: Sequence[DeviceSpeed]) -> Table:
    with_energy = any(one.answer_joules is not None for one in speeds)
    table = _table("by", "decode", "prefill", "answer", "memory", *["energy"] * with_energy)
    for one in speeds:
        energy = "" if one.answer_joules is None else f"{one.answer_joules:.3g} J"
        table.add_row(
            _by(one) + ("" if one.calibrated else " *"),
            _rate(one.decode_tokens_per_s, one.decode_within),
            _rate(one.prefill_tokens_per_s, one.prefill_within),
            format_seconds(one.answer_s),
            format_bytes(one.memory_bytes) + (" !" if one.fits is False else ""),
            *[energy] * with_energy,
        )
    return table


def _on_many(model: str, speeds: Sequence[DeviceSpeed]) -> Table:
    table = _table(model, "quickest by", "decode", "prefill", "answer", left=2)
    for one in speeds:
        table.add_row(
            one.device + ("" if one.calibrated else " *") + (" !" if one.fits is False else ""),
            _by(one),
            _rate(one.decode_tokens_per_s, None),
            _rate(one.prefill_tokens_per_s, None),
            format_seconds(one.answer_s),
        )
    return table


def _notes(speeds: Sequence[DeviceSpeed]) -> Iterator[str]:
    unmeasured = sorted({one.runtime for one in speeds if one.prefill_within is None})
    if unmeasured:
        yield f"prefill of {', '.join(unmeasured)}: none was measured; assumed"
    if any(not one.calibrated for one in speeds):
        yield "* nothing was fitted on this chip: the runtime's figures of others"
    if any(one.fits is False for one in speeds):
        yield "! more than the memory that a model may take there"
    if any(one.fits is None for one in speeds):
        yield "memory: whether it fits needs --memory, where the buyer chooses how much there is"
    powers = sorted({one.power_from for one in speeds if one.power_from})
    if powers:
        yield f"energy: time x power, {'; '.join(powers)}"


def cloud_text(speeds: Sequence[DeviceSpeed], against: Sequence[DeviceOrCloud]) -> Iterator[RenderableType]:
    """One answer from each device and from the cloud."""
    table = _table("model on chip", "by", "first token", "answer", "cloud", "quicker", "cost", "cloud", left=2)
    for one, other in zip(speeds, against, strict=True):
        table.add_row(
            f"{one.model} on {one.device}",
            _by(one),
            format_seconds(other.device_ttft_s),
            format_seconds(other.device_s),
            format_seconds(other.cloud_s),
            _quicker(other),
            "" if other.device_usd is None else f"{other.device_usd:.2g} USD",
            f"{other.cloud_usd:.2g} USD",
        )
    yield ""
    yield table
    yield Text(
        "cost: of the device its electricity alone; first token from the cloud after "
        f"{format_seconds(against[0].cloud_ttft_s)}",
        style="dim",
    )


def _quicker(other: DeviceOrCloud) -> str:
    tokens = other.break_even_output_tokens
    if tokens is None:
        return f"{other.faster}, always"
    return f"{other.faster}; device {'from' if other.device_gains else 'to'} {tokens:,.0f} tokens"


def _cells(found: DeviceErrors | None) -> tuple[str, ...]:
    return ("", "", "") if found is None else (str(found.rows), f"{found.median:.1%}", f"{found.p90:.0%}")


def _errors(name: str, groups: dict[str, DeviceGroup]) -> Table:
    table = _table(name, "decode rows", "median", "p90", "prefill rows", "median", "p90")
    for key, group in groups.items():
        table.add_row(key, *_cells(group.decode), *_cells(group.prefill))
    return table


def device_validation_text(result: DeviceValidation, listed: int) -> Iterator[RenderableType]:
    """Errors of speeds on devices: in all, by group, of what was left out, of equal rows, and the worst rows."""
    yield Text(f"{result.predicted} of {result.rows} rows predicted", style="bold")
    for reason, ids in result.skipped.items():
        yield Text(f"  {len(ids)} skipped: {reason} ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})")
    if not result.predicted:
        return
    yield Text("absolute errors of tokens/s, predicted / measured - 1")
    yield _errors("", {"all rows": result.overall})
    left = {f"{kind} left out": group for kind, group in result.fitted.items() if kind != "fitted"}
    yield ""
    yield _errors("the shipped rows, by fits to the others", left)
    yield ""
    yield _errors("rows that should be equal, larger / smaller - 1", result.noise)
    for kind, groups in result.groups.items():
        yield ""
        yield _errors(f"by {kind}", groups)
    if listed:
        yield Text(f"\nworst {min(listed, len(result.per_row))} rows", style="bold")
    for row in result.per_row[:listed]:
        parts = [
            f"{kind} {error:+.0%} (measured {row.measured[kind]:,.4g}/s)"
            for kind, error in row.errors.items()
            if error is not None
        ]
        ran = f"{row.model} {row.quantisation} on {row.device}, {row.runtime} {row.unit}"
        yield Text(f"  {row.id}  {ran}: {', '.join(parts)}")
