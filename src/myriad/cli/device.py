"""`myriad device`: a model on phones, cars, laptops and cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from myriad.cli import completion
from myriad.cli.options import JsonFile, at, read_flags
from myriad.cli.output import STANDARD_OUTPUT, check_outputs, json_text, show, write
from myriad.errors import SpecError

if TYPE_CHECKING:
    from myriad.spec.on_device import CloudOffer, DeviceUse

EXAMPLES: Final = """\b
Examples:
  myriad device qwen3-4b
  myriad device qwen3-4b --device snapdragon-8-elite --prompt 1024 --output 256
  myriad device llama3-8b --device rtx-4090 --quantisation q4_k_m
    --round-trip 60ms --cloud-ttft 300ms --cloud-tpot 20ms
    --input-price "0.2 USD/M tokens" --output-price "0.8 USD/M tokens"
    --electricity "0.12 USD/kWh" """


def device(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Models of the catalog.", autocompletion=completion.models),
    ],
    device_name: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="NAME",
            help="Chip of the catalog (default: all fitted).",
            autocompletion=completion.devices,
        ),
    ] = None,
    prompt: Annotated[str, typer.Option(metavar="COUNT", help="Tokens of the prompt.")] = "512",
    output: Annotated[str, typer.Option(metavar="COUNT", help="Tokens of the answer.")] = "128",
    batch: Annotated[str, typer.Option(metavar="COUNT", help="Answers at once.")] = "1",
    count: Annotated[str, typer.Option(metavar="COUNT", help="Equal chips that share the layers.")] = "1",
    quantisation: Annotated[
        str | None, typer.Option(metavar="NAME", help="How weights are stored: q4_0, w4a16, ... (default: all fitted).")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(metavar="NAME", help="llama.cpp, genie, ... (default: all fitted).")
    ] = None,
    unit: Annotated[str | None, typer.Option(metavar="cpu|gpu|npu", help="What computes (default: all).")] = None,
    memory: Annotated[str | None, typer.Option(metavar="BYTES", help="Memory of one device: 16 GB.")] = None,
    watts: Annotated[str | None, typer.Option(metavar="POWER", help="Power while it answers: 6 W.")] = None,
    round_trip: Annotated[str | None, typer.Option(metavar="TIME", help="To the cloud and back: 60ms.")] = None,
    cloud_ttft: Annotated[str | None, typer.Option(metavar="TIME", help="The cloud's time to the first token.")] = None,
    cloud_tpot: Annotated[str | None, typer.Option(metavar="TIME", help="The cloud's time per further token.")] = None,
    input_price: Annotated[str | None, typer.Option(metavar="PRICE", help="The cloud's: 0.2 USD/M tokens.")] = None,
    output_price: Annotated[str | None, typer.Option(metavar="PRICE", help="Likewise for the answer.")] = None,
    electricity: Annotated[str | None, typer.Option(metavar="PRICE", help="At the device: 0.12 USD/kWh.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Speed, memory and energy of models on a device, or on all; and against the cloud."""
    check_outputs({"--json": json_file})
    from myriad import api
    from myriad.report.device import cloud_text, speeds_text

    use = _use(prompt, output, batch, count, quantisation, runtime, unit, memory, watts)
    offer = _offer(round_trip, cloud_ttft, cloud_tpot, input_price, output_price)
    usd_per_kwh = None if electricity is None else _usd("--electricity", electricity, "joule") * 3.6e6
    if usd_per_kwh is not None and offer is None:
        raise SpecError(
            "--electricity: is held against the cloud's price; give --round-trip, --cloud-ttft and the rest"
        )
    if quantisation is not None:
        with at("--quantisation"):
            api.entry_of(quantisation, "quantisations")
    speeds = [speed for model in models for speed in api.device_speeds(model, device_name, use)]
    against = [] if offer is None else [api.device_or_cloud(speed, offer, usd_per_kwh) for speed in speeds]
    if json_file is not None:
        values: dict[str, Any] = {"speeds": [speed.model_dump(mode="json") for speed in speeds]}
        if offer is not None:
            values["cloud"] = offer.model_dump(mode="json")
            values["device_or_cloud"] = [one.model_dump(mode="json") for one in against]
        write(json_file, json_text(values))
    if json_file != STANDARD_OUTPUT:
        show(*speeds_text(speeds))
        if against:
            show(*cloud_text(speeds, against))


def _use(
    prompt: str, output: str, batch: str, count: str, quantisation: str | None, runtime: str | None, unit: str | None,
    memory: str | None, watts: str | None,
) -> DeviceUse:  # fmt: skip
    from myriad.spec.on_device import DeviceUse

    flags = {"prompt_tokens": "--prompt", "output_tokens": "--output", "devices": "--count", "power": "--watts"}
    given = {
        "prompt_tokens": prompt, "output_tokens": output, "batch": batch, "devices": count,
        "quantisation": quantisation, "runtime": runtime, "unit": unit, "memory": memory, "power": watts,
    }  # fmt: skip
    try:
        return read_flags(DeviceUse, {name: value for name, value in given.items() if value is not None})
    except SpecError as error:
        text = str(error)
        for field, flag in flags.items():
            text = text.replace("--" + field.replace("_", "-"), flag, 1)
        raise SpecError(text) from None


def _offer(
    round_trip: str | None, ttft: str | None, tpot: str | None, input_price: str | None, output_price: str | None
) -> CloudOffer | None:
    from myriad.cli.options import read_flag
    from myriad.spec.base import Seconds
    from myriad.spec.on_device import CloudOffer

    given = {
        "--round-trip": round_trip, "--cloud-ttft": ttft, "--cloud-tpot": tpot,
        "--input-price": input_price, "--output-price": output_price,
    }  # fmt: skip
    if not any(value is not None for value in given.values()):
        return None
    missing = [flag for flag, value in given.items() if value is None]
    if missing:
        raise SpecError(f"{missing[0]}: is needed too, to hold the device against the cloud")
    times = [read_flag(flag, given[flag] or "", Seconds) for flag in ("--round-trip", "--cloud-ttft", "--cloud-tpot")]
    prices = [_usd(flag, given[flag] or "", "token") for flag in ("--input-price", "--output-price")]
    return CloudOffer(
        round_trip=times[0], ttft=times[1], tpot=times[2], usd_per_input_token=prices[0], usd_per_output_token=prices[1]
    )


def _usd(flag: str, text: str, per: str) -> float:
    from myriad import catalog
    from myriad.cli.options import read_flag
    from myriad.spec.money import Money

    money = read_flag(flag, text, Money)
    assert isinstance(money, Money)
    if money.per != per or money.amount < 0:
        example = "0.2 USD/M tokens" if per == "token" else "0.12 USD/kWh"
        raise SpecError(f"{flag}: expected a price such as {example}, found {text!r}")
    with at(flag):
        return money.usd(catalog.usd_per_currency())
