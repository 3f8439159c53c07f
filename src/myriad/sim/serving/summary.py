"""What a run says as a whole: percentiles with intervals, rates, shares, a timeline."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.sim.serving import state as at
from myriad.sim.serving.records import Records
from myriad.sim.serving.run import Run
from myriad.spec.fleet import Fleet
from myriad.spec.serving import Objective
from myriad.spec.serving_simulation import Distribution, Estimate, FleetTimeline, ServingSimulation

Floats = npt.NDArray[np.float64]

BATCHES = at.GAP_BATCHES
LEAST_REQUESTS = 20 * BATCHES
STUDENT_95 = 2.093
"""Of 19 degrees of freedom, two-sided 95 %."""
PERCENTILES = (50, 90, 95, 99)
CURVE = tuple(range(101))
SAMPLES = 241


def summary(
    run: Run, records: Records, fleet: Fleet, objective: Objective | None, seed: int, warm_up: float
) -> ServingSimulation:
    """The result of a run. `warm_up` is the share of the first requests that no latency counts."""
    duration_s = float(run.floats[at.NOW])
    answered = ~records.refused
    counted = answered.copy()
    counted[: round(warm_up * len(counted))] = False
    several = counted & (records.output_tokens > 1)
    ttft_s, tpot_s = records.ttft_s, records.tpot_s
    busy_s, on_s, gpu_s = _times(run, fleet)
    limits_met = answered.copy()
    if objective is not None and objective.ttft is not None:
        limits_met &= ~(ttft_s > objective.ttft)
    if objective is not None and objective.tpot is not None:
        limits_met &= ~(tpot_s > objective.tpot)
    good = _with_interval(limits_met[counted | records.refused].astype(np.float64), np.mean)
    inputs = int(records.input_tokens[answered].sum())
    outputs = int(run.ints[at.TOKENS_OUT])
    return ServingSimulation(
        seed=seed,
        fleet=fleet,
        objective=objective,
        requests=len(answered),
        refused=int(records.refused.sum()),
        counted=int(counted.sum()),
        duration_s=duration_s,
        mean_gpus=gpu_s / duration_s,
        ttft=_distribution(ttft_s[counted]),
        tpot=_distribution(tpot_s[several]) if several.any() else None,
        inter_token=_gaps(run, warm_up),
        end_to_end=_distribution((records.finished_s - records.arrival_s)[counted]),
        queueing=_distribution((records.admitted_s - records.arrival_s)[counted]),
        requests_per_s=float(answered.sum()) / duration_s,
        input_tokens_per_s_per_gpu=inputs / gpu_s,
        output_tokens_per_s_per_gpu=outputs / gpu_s,
        good_fraction=good if objective is not None else None,
        good_requests_per_s=float(limits_met.sum()) / duration_s if objective is not None else None,
        meets_objective=_meets(objective, ttft_s[counted], tpot_s[several]) if objective is not None else None,
        busy_fraction=min(busy_s / on_s, 1.0),
        prefix_hit_fraction=float(records.cached_tokens[answered].sum()) / max(inputs, 1),
        cache_used_fraction=float(run.floats[at.CACHE_S] / max(run.floats[at.COPY_S], 1e-300)),
        cache_most_fraction=float(run.floats[at.MOST_USED]),
        mean_decoding=float(run.floats[at.BATCH_S] / max(run.floats[at.DECODE_S], 1e-300)),
        preemptions=int(records.preemptions.sum()),
        requeued=int(run.ints[at.REQUEUED]),
        output_tokens=outputs,
        events=int(run.ints[at.EVENTS]),
        timeline=_timeline(run, fleet, duration_s),
    )


def _with_interval(values: Floats, figure: object) -> Estimate:
    """A figure of all values, and its interval from batches of consecutive ones."""
    assert callable(figure)
    value = float(figure(values))
    if len(values) < LEAST_REQUESTS:
        return Estimate(value=value)
    return _estimate(value, np.array([figure(batch) for batch in np.array_split(values, BATCHES)]))


def _estimate(value: float, batches: Floats) -> Estimate:
    half = STUDENT_95 * float(np.std(batches, ddof=1)) / BATCHES**0.5
    return Estimate(value=value, low=max(value - half, 0.0), high=value + half)


def _distribution(values: Floats) -> Distribution:
    """Mean and percentiles, all percentiles of a batch at once."""
    whole = np.append(np.percentile(values, PERCENTILES), values.mean())
    curve = np.percentile(values, CURVE).tolist()
    if len(values) < LEAST_REQUESTS:
        return _named([Estimate(value=float(value)) for value in whole], curve)
    parts = np.array_split(values, BATCHES)
    batches = np.array([np.append(np.percentile(part, PERCENTILES), part.mean()) for part in parts])
    return _named([_estimate(float(value), batches[:, place]) for place, value in enumerate(whole)], curve)


def _named(figures: list[Estimate], curve: list[float]) -> Distribution:
    p50, p90, p95, p99, mean = figures
    return Distribution(p50=p50, p90=p90, p95=p95, p99=p99, mean=mean, percentiles=tuple(curve))


def _gaps(run: Run, warm_up: float) -> Distribution | None:
    """Times between tokens, from histograms of as many batches; each figure is off by at most half a bin, 0.1 %."""
    first = run.ints[at.GAPS_FROM]
    counts = run.floats[first : first + BATCHES * at.GAP_BINS].reshape(BATCHES, at.GAP_BINS)
    counts = counts[int(warm_up * BATCHES) :]
    if not counts.any():
        return None
    centres = at.GAP_LEAST_S * np.exp((np.arange(at.GAP_BINS) + 0.5) / at.GAP_BINS_PER_E)

    def percentiles(total: Floats, which: tuple[int, ...]) -> list[float]:
        # A 0th percentile is the first bin that holds anything.
        wanted = [max(p / 100 * total[-1], 1e-9) for p in which]
        return [float(centres[place]) for place in np.searchsorted(total, wanted)]

    def figures(histogram: Floats) -> list[float]:
        total = histogram.cumsum()
        return [*percentiles(total, PERCENTILES), float(histogram @ centres / total[-1])]

    every = counts.sum(axis=0)
    whole, curve = figures(every), percentiles(every.cumsum(), CURVE)
    if len(counts) < BATCHES or len(run.requests) < LEAST_REQUESTS or not counts.any(axis=1).all():
        return _named([Estimate(value=value) for value in whole], curve)
    batches = np.array([figures(batch) for batch in counts])
    return _named([_estimate(value, batches[:, place]) for place, value in enumerate(whole)], curve)


def _times(run: Run, fleet: Fleet) -> tuple[float, float, float]:
    """Seconds in which replicas ran iterations, were on, and accelerators were on."""
    busy_s = on_s = gpu_s = 0.0
    for number, pool in enumerate(fleet.pools):
        rows, times = run.unit_rows(number)
        still = np.where(rows[:, at.UNIT_STATE] == at.OFF, 0.0, run.floats[at.NOW] - times[:, at.ON_SINCE_S])
        pool_on_s = float((times[:, at.ON_S] + still).sum())
        busy_s += float(times[:, at.BUSY_S].sum())
        on_s += pool_on_s
        gpu_s += pool_on_s * pool.gpus
    return busy_s, on_s, gpu_s


def _meets(objective: Objective, ttft_s: Floats, tpot_s: Floats) -> bool:
    limits = ((objective.ttft, ttft_s), (objective.tpot, tpot_s))
    return all(
        np.percentile(values, objective.percentile) <= limit
        for limit, values in limits
        if limit is not None and len(values)
    )


def _timeline(run: Run, fleet: Fleet, duration_s: float) -> FleetTimeline:
    at_s = np.linspace(0.0, duration_s, SAMPLES)
    answered = run.requests[:, at.REFUSED] == 0

    def so_far(field: int) -> npt.NDArray[np.int64]:
        return np.searchsorted(np.sort(run.times_s[answered, field]), at_s, side="right")

    arrived, begun, done = so_far(at.ARRIVAL_S), so_far(at.ADMITTED_S), so_far(at.FINISHED_S)
    ready = []
    for number, pool in enumerate(fleet.pools):
        own = run.changed_pool == number
        changes = np.append(0, np.cumsum(run.changed_by[own]))
        ready.append(pool.replicas + changes[np.searchsorted(run.changed_s[own], at_s, side="right")])
    return FleetTimeline(
        at_s=tuple(at_s.tolist()),
        waiting=tuple((arrived - begun).tolist()),
        running=tuple((begun - done).tolist()),
        ready=tuple(tuple(column.tolist()) for column in ready),
    )
