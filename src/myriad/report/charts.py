"""What the charts of the page draw, as plain values; `report.js` turns them into pictures."""

from __future__ import annotations

from myriad.report.language import Language
from myriad.report.numbers import Numbers
from myriad.report.palette import GAIN_COLOUR, MEMORY_COLOURS, SERIES_COLOURS, TIME_COLOURS
from myriad.report.timeline_chart import timeline_chart
from myriad.report.views import change, parts_present
from myriad.spec.result import MEMORY_PARTS, JobPlan, Plan, RankedLayout, TrainingEstimate
from myriad.units import GIB

Chart = dict[str, object]


def plan_charts(plan: Plan, language: Language, numbers: Numbers) -> dict[str, object]:
    """The charts of all jobs by the id of their place in the page."""
    return {
        f"job-{index}-{name}": chart
        for index, job in enumerate(plan.jobs)
        for name, chart in job_charts(job, language, numbers).items()
    }


def job_charts(job: JobPlan, language: Language, numbers: Numbers) -> dict[str, Chart]:
    """The charts of one job by name: step, memory, pareto, sensitivity, timeline, where the job has its values."""
    charts: dict[str, Chart] = {}
    if job.chosen is None or job.chosen.estimate is None:
        return charts
    charts["step"] = _step(job, job.chosen.estimate, language)
    charts["memory"] = _memory(job.chosen.estimate, language)
    if job.chosen.search and job.chosen.search.pareto:
        charts["pareto"] = _pareto(job.chosen.search.pareto, job.chosen.estimate, language, numbers)
    if job.sensitivity:
        charts["sensitivity"] = _sensitivity(job, language, numbers)
    if job.timeline:
        charts["timeline"] = timeline_chart(job.timeline, language, numbers)
    return charts


def _step(job: JobPlan, estimate: TrainingEstimate, language: Language) -> Chart:
    """Stacked bars of seconds: the best layout, what it hides, the given layout, and the roofline."""
    rows = [
        (language("chart.best"), estimate.time_parts_s),
        (language("chart.hidden"), estimate.hidden_comm_s),
        *([(language("chart.given"), job.comparison.estimate.time_parts_s)] if job.comparison else []),
    ]
    parts = parts_present(values for _, values in rows)
    series = [
        {
            "name": language(f"part.{part}"),
            "colour": TIME_COLOURS[part],
            "values": [*(values.get(part, 0.0) for _, values in rows), 0.0],
        }
        for part in parts
    ]
    roofline = [*(0.0 for _ in rows), estimate.lower_bound_s]
    series.append({"name": language("chart.bound"), "colour": "outline", "values": roofline})
    return {
        "kind": "step",
        "rows": [*(name for name, _ in rows), language("chart.bound")],
        "series": series,
        "axis": language("chart.step_axis"),
        "unit": language("chart.seconds_unit"),
    }


def _memory(estimate: TrainingEstimate, language: Language) -> Chart:
    """Stacked columns of GiB, one per stage, under the capacity."""
    parts = parts_present((stage.parts_bytes for stage in estimate.memory), MEMORY_PARTS)
    return {
        "kind": "memory",
        "rows": [str(stage.stage) for stage in estimate.memory],
        "row_names": [language("chart.stage", number=stage.stage) for stage in estimate.memory],
        "series": [
            {
                "name": language(f"memory.{part}"),
                "colour": MEMORY_COLOURS[part],
                "values": [stage.parts_bytes.get(part, 0.0) / GIB for stage in estimate.memory],
            }
            for part in parts
        ],
        "capacity": estimate.memory_capacity_bytes / GIB,
        "capacity_name": language("chart.capacity"),
        "axis": language("chart.memory_axis"),
        "stage_axis": language("column.stage"),
    }


def _pareto(rows: tuple[RankedLayout, ...], estimate: TrainingEstimate, language: Language, numbers: Numbers) -> Chart:
    """Points of step time and headroom, one series per number of GPUs, largest first."""
    counts = sorted({row.num_gpus for row in rows}, reverse=True)
    return {
        "kind": "pareto",
        "series": [
            {
                "name": numbers.gpus(count),
                "colour": SERIES_COLOURS[index % len(SERIES_COLOURS)],
                "points": [
                    {
                        "value": [row.step_s, (estimate.memory_capacity_bytes - row.memory_peak_bytes) / GIB],
                        "name": row.layout.text(),
                        "best": row.layout == estimate.layout,
                    }
                    for row in rows
                    if row.num_gpus == count
                ],
            }
            for index, count in enumerate(counts)
        ],
        "axis": language("chart.step_axis"),
        "headroom_axis": language("chart.headroom_axis"),
    }


def _sensitivity(job: JobPlan, language: Language, numbers: Numbers) -> Chart:
    """Bars of the share saved, largest at the top."""
    ordered = sorted(job.sensitivity, key=lambda s: s.gain_fraction)
    return {
        "kind": "sensitivity",
        "rows": [f"{language(f'resource.{s.resource}')} {numbers.change(change(s), signed=True)}" for s in ordered],
        "values": [100 * s.gain_fraction for s in ordered],
        "colour": GAIN_COLOUR,
        "axis": language("chart.gain_axis"),
    }
