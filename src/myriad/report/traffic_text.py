"""What traffic gets from a fabric, for a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myriad.report.blocks import heading, open_table
from myriad.report.fabric_text import links_name
from myriad.report.language import Language, language
from myriad.report.numbers import Numbers, significant
from myriad.spec.traffic import Conditions
from myriad.spec.traffic_result import Run, StepOnFabric, StepTraffic, TrafficResult
from myriad.units import format_si


def traffic_text(result: TrafficResult, lang: str = "en") -> RenderableType:
    """A collective on a fabric for the terminal. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    blocks: list[RenderableType] = [
        Text(result.fabric, style="bold"),
        Text("\n".join(asked_words(result, words, numbers)), style="dim"),
    ]
    blocks += [heading(words("traffic.got")), _bandwidth(result, words, numbers), *_jobs(result, words, numbers)]
    blocks += [heading(words("traffic.use")), _use(result.run, words, numbers)]
    if result.run.hottest:
        blocks += [heading(words("traffic.hottest")), _hottest(result.run, words, numbers)]
    effort = words(
        "traffic.effort",
        flows=numbers.integer(result.run.flows),
        solves=numbers.integer(result.run.solves),
        time=numbers.seconds(result.run.simulated_s),
    )
    return Group(*blocks, "", Text(effort, style="dim"))


def step_text(result: StepOnFabric, lang: str = "en") -> RenderableType:
    """A training step on a fabric for the terminal. Raises SpecError for an unknown language."""
    words = language(lang)
    numbers = Numbers(words)
    blocks: list[RenderableType] = [
        Text(result.fabric, style="bold"),
        Text("\n".join(job_words(result, words, numbers)), style="dim"),
    ]
    blocks += [heading(words("traffic.sends")), _sends(result, words, numbers)]
    blocks += ["", Text(step_words(result, words, numbers)), Text(words("traffic.taken"), style="dim")]
    return Group(*blocks)


def asked_words(result: TrafficResult, words: Language, numbers: Numbers) -> list[str]:
    """The collective, what it runs on, and under which conditions, a line each."""
    traffic = result.traffic
    asked = words(
        "traffic.asked",
        collective=traffic.collective,
        algorithm=traffic.way,
        size=format_si(traffic.size, "B"),
        groups=numbers.integer(result.groups),
        group=numbers.integer(result.group),
        stride=numbers.integer(traffic.stride),
        jobs=numbers.integer(traffic.jobs),
    )
    where = words(
        "traffic.where",
        cluster=result.cluster,
        hosts=numbers.integer(result.num_hosts),
        endpoints=numbers.integer(result.num_endpoints),
        switches=numbers.integer(result.num_switches),
        links=numbers.integer(result.num_links),
    )
    how = _how(result.conditions, result.routing, result.flows_per_pair, words, numbers)
    at = words("traffic.efficiency", share=numbers.percent(result.efficiency))
    return [asked, where, f"{how} {at}"]


def job_words(result: StepOnFabric, words: Language, numbers: Numbers) -> list[str]:
    """The job, and the conditions, a line each."""
    job = words("traffic.job", job=result.job, layout=result.layout, gpus=numbers.gpus(result.num_accelerators))
    how = _how(result.conditions, result.conditions.routing, result.conditions.flows_per_pair, words, numbers)
    return [job, how]


def step_words(result: StepOnFabric, words: Language, numbers: Numbers) -> str:
    """What becomes of the step."""
    return words(
        "traffic.step",
        planned=f"{significant(result.planned_step_s, 4)} s",
        step=f"{significant(result.step_s, 4)} s",
        change=numbers.change(result.change_fraction, signed=True),
    )


def sends_name(one: StepTraffic, words: Language) -> str:
    """What a collective of a step carries."""
    return words(f"sends.{one.name}") + (f" ({one.block})" if one.block else "")


def _how(conditions: Conditions, routing: str | None, flows: int | None, words: Language, numbers: Numbers) -> str:
    """Placement, routing and damage, in a line."""
    said = [words("traffic.placed", placement=conditions.placement)]
    if conditions.free < 1:
        said.append(words("traffic.free", share=numbers.percent(conditions.free)))
    if routing is not None:
        key = "traffic.ecmp" if routing == "ecmp" and flows is not None else "traffic.routed"
        said.append(words(key, routing=routing, flows=numbers.integer(flows or 1)))
    for fault in conditions.damage.links:
        which = links_name(fault.tier, words) if fault.tier else words("traffic.between_switches")
        key = "traffic.slow" if fault.bandwidth_left else "traffic.down"
        left = numbers.change(fault.bandwidth_left)
        said.append(words(key, share=numbers.change(fault.share), which=which, left=left))
    for switch in conditions.damage.switches:
        tier = words(f"tier.{switch.tier}")
        said.append(words("traffic.switches_down", number=numbers.integer(switch.number), tier=tier))
    return words("traffic.join").join(said) + words("traffic.stop")


def _bandwidth(result: TrafficResult, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        ("", "left"), (words("traffic.time"), "right"), (words("traffic.algorithm"), "right"),
        (words("traffic.bus"), "right"),
    )  # fmt: skip
    ideal_algorithm = result.traffic.size / result.ideal_s
    for name, seconds, algorithm, bus in (
        ("traffic.simulated", result.run.makespan_s, result.algorithm_bytes_per_s, result.bus_bytes_per_s),
        ("traffic.ideal", result.ideal_s, ideal_algorithm, result.ideal_bus_bytes_per_s),
    ):
        rates = [numbers.plain(rate / 1e9) for rate in (algorithm, bus)]
        table.add_row(words(name), numbers.seconds(seconds), *rates)
    return table


def _jobs(result: TrafficResult, words: Language, numbers: Numbers) -> list[RenderableType]:
    """When each of several jobs was done."""
    times = list(result.run.activity_s.values())
    if len(times) < 2:
        return []
    ends = words("traffic.jobs", first=numbers.seconds(min(times)), last=numbers.seconds(max(times)))
    return [Text(ends)]


def _use(run: Run, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("fabric.class"), "left"), (words("traffic.direction"), "left"), (words("fabric.links"), "right"),
        (words("traffic.mean"), "right"), (words("traffic.most"), "right"),
    )  # fmt: skip
    for one in run.use:
        shares = [numbers.percent(share) for share in (one.mean_fraction, one.max_fraction)]
        direction = words("traffic.up" if one.direction == "up" else "traffic.down_way")
        table.add_row(links_name(one.link_class, words), direction, numbers.integer(one.links), *shares)
    return table


def _hottest(run: Run, words: Language, numbers: Numbers) -> Table:
    table = open_table((words("traffic.from"), "left"), (words("traffic.to"), "left"), (words("traffic.used"), "right"))
    for link in run.hottest:
        ends = (link.lower, link.upper) if link.direction == "up" else (link.upper, link.lower)
        table.add_row(*ends, numbers.percent(link.used_fraction))
    return table


def _sends(result: StepOnFabric, words: Language, numbers: Numbers) -> Table:
    table = open_table(
        (words("column.kind"), "left"), (words("traffic.collective"), "left"), (words("traffic.group"), "right"),
        (words("traffic.stride"), "right"), (words("traffic.per_step"), "right"),
        (words("traffic.line_rate"), "right"), (words("traffic.here"), "right"), (words("traffic.ratio"), "right"),
    )  # fmt: skip
    for one in result.traffic:
        inside = not one.line_rate_s
        times = [words("traffic.inside"), "", ""] if inside else [
            numbers.seconds(one.line_rate_s), numbers.seconds(one.network_s), numbers.plain(one.ratio, 1.0),
        ]  # fmt: skip
        table.add_row(
            one.kind.upper(),
            sends_name(one, words),
            numbers.integer(one.group),
            numbers.integer(one.stride),
            numbers.plain(one.sent_bytes_per_step / 1e9),
            *times,
        )
    return table
