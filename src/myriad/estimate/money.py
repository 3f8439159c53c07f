"""Money and energy of a training job: lines that sum to the whole, all in US dollars and joules."""

from __future__ import annotations

from collections.abc import Mapping

from myriad.spec.money import CostLine
from myriad.spec.system import Owned, Rented
from myriad.units import DAY_S, HOUR_S, YEAR_S


def energy_joules(num_gpus: float, seconds: float, watts_per_gpu: float, pue: float = 1.0) -> float:
    """Energy drawn by the site, in joules: power under load for the whole time, times PUE.

    >>> energy_joules(1000, 3600.0, 1000.0, 1.2) == 1.2e3 * 1e3 * 3600
    True
    """
    return num_gpus * seconds * watts_per_gpu * pue


def cost_lines(
    terms: Owned | Rented,
    num_gpus: int,
    seconds: float,
    watts_per_gpu: float | None,
    usd_per_currency: Mapping[str, float],
) -> tuple[CostLine, ...]:
    """What `num_gpus` accelerators cost for `seconds`.

    Rented: hours times price. Owned: the price written off in a straight line over its lifetime, plus
    electricity, plus operations as a yearly share of the price; idle time between jobs is not charged.
    Electricity is left out where the power is unknown (the caller says so).
    """
    gpu_s = num_gpus * seconds
    if isinstance(terms, Rented):
        price = terms.price.usd(usd_per_currency)
        basis = f"{gpu_s / HOUR_S:,.0f} GPU-h at {price * HOUR_S:.3g} USD/GPU-h"
        return (CostLine(name="rent", amount_usd=gpu_s * price, basis=basis),)
    price = terms.price_per_gpu.usd(usd_per_currency)
    lines = [
        CostLine(
            name="hardware",
            amount_usd=gpu_s * price / terms.lifetime,
            basis=f"{num_gpus:,} accelerators at {price:,.0f} USD, {seconds / DAY_S:,.1f} days "
            f"of {terms.lifetime / YEAR_S:.3g} years",
        )
    ]
    if watts_per_gpu is not None:
        energy = energy_joules(num_gpus, seconds, watts_per_gpu, terms.pue)
        per_joule = terms.electricity.usd(usd_per_currency)
        basis = f"{energy / 3.6e9:,.0f} MWh at {per_joule * 3.6e6:.3g} USD/kWh, PUE {terms.pue:.3g}"
        lines.append(CostLine(name="electricity", amount_usd=energy * per_joule, basis=basis))
    if terms.operations_fraction_per_year:
        amount = gpu_s * price * terms.operations_fraction_per_year / YEAR_S
        basis = f"{terms.operations_fraction_per_year:.1%} of the price per year"
        lines.append(CostLine(name="operations", amount_usd=amount, basis=basis))
    return tuple(lines)
