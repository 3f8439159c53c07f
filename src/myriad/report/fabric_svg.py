"""A drawn fabric and its heat as SVG, in the colours of the page that it stands in and without scripts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from markupsafe import Markup, escape

from myriad.report.fabric_text import bits, links_name
from myriad.report.language import Language
from myriad.report.numbers import Numbers, significant
from myriad.report.palette import USE_COLOURS
from myriad.spec.fabric_drawing import ClassSum, DrawnBox, DrawnFrame, DrawnLink, FabricDrawing

LEFT, RIGHT = 132.0, 176.0
"""Pixels beside the picture: names of tiers, and sums of links."""
_NARROWEST: Final = 0.6
_WIDEST_IN_ROWS: Final = 7.0
"""Pixels of lines."""
_BAR: Final = 120.0
"""Pixels of the bar of the class of links with the most bandwidth."""
_BOUNDS: Final = (0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
"""Where the steps of colour meet: finer below, because fabrics without oversubscription are seldom full."""
_STEPS: Final = len(USE_COLOURS)
_WITH_SECOND_LINE: Final = ("group", "column")
"""Boxes that hold several switches even where they stand for themselves: number, and how many are in it."""


def drawing_svg(drawing: FabricDrawing, place: str, words: Language, numbers: Numbers) -> Markup:
    """The picture of a fabric; `place` is an id for its title that no other picture of the page has.

    A reader that cannot see it is told the counts by tier and class; boxes, frames and lines say theirs when pointed
    at. With use, lines take the colour of their fullest link.
    """
    rows = _rows(drawing)
    left, right = (LEFT, RIGHT) if rows else (0.0, 0.0)
    width = drawing.width + left + right
    widest = width * (1.15 if rows else 0.95)
    parts = [
        *(_frame(frame) for frame in drawing.frames),
        *(_link(link, drawing, words, numbers) for link in drawing.links),
        *(_frame_name(frame, words) for frame in drawing.frames),
        *(_box(box, drawing, words, numbers) for box in drawing.boxes),
    ]
    sides = [*_tier_names(drawing, rows, words, numbers), *_class_sums(drawing, rows, left, words, numbers)]
    described = "; ".join(describe(drawing, words, numbers))
    return Markup(
        f'<svg class="fabric" viewBox="0 0 {width:.0f} {drawing.height:.0f}" style="max-width:{widest:.0f}px" '
        f'role="img" aria-labelledby="{place}-title {place}-desc"><title id="{place}-title">'
        f'{escape(title_words(drawing, words, numbers))}</title><desc id="{place}-desc">{escape(described)}</desc>'
        f'<g transform="translate({left:.0f} 0)">{"".join(parts)}</g>{"".join(sides)}</svg>'
    )


def scale_svg(words: Language) -> Markup:
    """The scale of colours of use, and the mark of links that are down."""
    wide, end = 34, 34 * _STEPS
    steps = "".join(
        f'<rect class="use-{step}" x="{step * wide}" y="0" width="{wide}" height="10"/>' for step in range(_STEPS)
    )
    ticks = "".join(
        _text((index + 1) * wide, 23, significant(100 * share), "middle") for index, share in enumerate(_BOUNDS)
    )
    down = f'<rect class="dead" x="{end + 24}" y="0" width="10" height="10"/>{_text(end + 40, 9.5, words("heat.dead"))}'
    return Markup(
        f'<svg class="fabric scale" viewBox="0 0 {end + 150} 30" style="width:{end + 150}px" role="img" '
        f'aria-label="{escape(words("heat.scale"))}">{steps}{ticks}{down}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def step_of(fraction: float) -> int:
    """The step of the colour scale that a share of use falls on."""
    return bisect_right(_BOUNDS, fraction)


def title_words(drawing: FabricDrawing, words: Language, numbers: Numbers) -> str:
    """What is drawn, in one line."""
    return words(
        "drawing.title",
        kind=words(f"topology.{drawing.kind.replace('-', '_')}"),
        hosts=numbers.integer(drawing.hosts),
        endpoints=numbers.integer(drawing.endpoints),
        switches=numbers.integer(sum(drawing.tiers.values())),
        links=numbers.integer(sum(one.links for one in drawing.classes)),
    )


def has_use(drawing: FabricDrawing) -> bool:
    """Whether it says how full links are."""
    return any(link.use is not None for link in drawing.links)


def caption_words(drawing: FabricDrawing, words: Language) -> list[str]:
    """How to read the picture, a sentence each."""
    told = [words("drawing.folded" if drawing.folded else "drawing.whole")]
    if has_use(drawing):
        return [*told, words("drawing.coloured")]
    return [*told, words("drawing.width")] if drawing.kind == "fat-tree" else told


def describe(drawing: FabricDrawing, words: Language, numbers: Numbers) -> list[str]:
    """Counts by tier and by class of links, and where bandwidth narrows."""
    told = [f"{numbers.integer(count)} {words(f'tiers.{tier}')}" for tier, count in drawing.tiers.items()]
    for one in drawing.classes:
        told.append(f"{links_name(one.link_class, words)}: {links_words(one, words, numbers)}")
    for upper, ratio in narrowing(drawing).items():
        told.append(words("drawing.oversubscribed", name=links_name(upper, words), ratio=significant(ratio)))
    return told


def links_words(one: ClassSum, words: Language, numbers: Numbers) -> str:
    """Number and bandwidth of a class of links."""
    return words("drawing.links", count=numbers.integer(one.links), rate=bits(one.bytes_per_s))


def narrowing(drawing: FabricDrawing) -> dict[str, float]:
    """Class of links -> bandwidth of the class below over its own, where that is above 1, in tiered fabrics."""
    if drawing.kind != "fat-tree":
        return {}
    pairs = zip(drawing.classes, drawing.classes[1:], strict=False)
    return {
        upper.link_class: lower.bytes_per_s / upper.bytes_per_s
        for lower, upper in pairs
        if lower.bytes_per_s > 1.005 * upper.bytes_per_s
    }


def _rows(drawing: FabricDrawing) -> dict[str, float]:
    """Tier -> height of its row, from the top; empty where tiers are no rows."""
    if drawing.kind != "fat-tree":
        return {}
    return {box.tier: box.y for box in sorted(drawing.boxes, key=lambda box: box.y)}


def _tier_names(drawing: FabricDrawing, rows: dict[str, float], words: Language, numbers: Numbers) -> Iterable[str]:
    for tier, y in rows.items():
        count = drawing.hosts if tier == "host" else drawing.tiers[tier]
        yield _text(LEFT - 8, y - 1, numbers.integer(count), "end", "count")
        yield _text(LEFT - 8, y + 14, words(f"tiers.{tier}"), "end", "soft")


def _class_sums(
    drawing: FabricDrawing, rows: dict[str, float], left: float, words: Language, numbers: Numbers
) -> Iterable[str]:
    """Beside the lines of every class its sum, and a bar as long as its bandwidth."""
    most = max(one.bytes_per_s for one in drawing.classes)
    upwards = sorted(rows.values(), reverse=True)
    ratios = narrowing(drawing)
    x = left + drawing.width + 6
    for one, below, above in zip(drawing.classes, upwards, upwards[1:], strict=False):
        y, long = (below + above) / 2, _BAR * one.bytes_per_s / most
        yield _text(x, y - 9, bits(one.bytes_per_s), kind="count")
        yield f'<rect class="bar" x="{x:.1f}" y="{y - 4:.1f}" width="{long:.1f}" height="8"/>'
        if ratio := ratios.get(one.link_class):
            yield _text(x + long + 6, y + 4, f"{significant(ratio)} : 1", kind="ratio")
        name = links_name(one.link_class, words)
        yield _text(x, y + 20, f"{numbers.integer(one.links)} · {name}", kind="soft")


def _frame(frame: DrawnFrame) -> str:
    x, y = frame.x - frame.width / 2, frame.y - frame.height / 2
    size = f'width="{frame.width:.1f}" height="{frame.height:.1f}" rx="8"'
    behind = (8, 4) if frame.alike > 1 else ()
    shapes = "".join(f'<rect x="{x + by:.1f}" y="{y - by:.1f}" {size}/>' for by in (*behind, 0))
    return f'<g class="frame">{shapes}</g>'


def _frame_name(frame: DrawnFrame, words: Language) -> str:
    name = words(f"frame.{frame.kind}", number=_span(frame.first, frame.alike))
    if frame.alike > 1:
        name = words("frame.alike", name=name, count=frame.alike)
    x, y = frame.x - frame.width / 2, frame.y - frame.height / 2 - (14 if frame.alike > 1 else 5)
    return f'<text class="soft frame-name" x="{x + 6:.1f}" y="{y:.1f}">{escape(name[:1].upper() + name[1:])}</text>'


def _span(first: int, alike: int) -> str:
    """Numbers as people count: `3`, or `3–15`."""
    return f"{first + 1}–{first + alike}" if alike > 1 else f"{first + 1}"


def _box(box: DrawnBox, drawing: FabricDrawing, words: Language, numbers: Numbers) -> str:
    x, y = box.x - box.width / 2, box.y - box.height / 2
    size = f'width="{box.width:.1f}" height="{box.height:.1f}" rx="4"'
    behind = (5, 2.5) if box.alike > 1 or box.tier in _WITH_SECOND_LINE else ()
    shapes = "".join(f'<rect class="behind" x="{x + by:.1f}" y="{y - by:.1f}" {size}/>' for by in behind)
    if box.tier in _WITH_SECOND_LINE:
        switches = sum(box.switches.values())
        label = (
            f'<text x="{box.x:.1f}" y="{box.y - 2:.1f}">{_span(box.first, box.alike)}</text>'
            f'<text class="soft" x="{box.x:.1f}" y="{box.y + 13:.1f}">× {numbers.integer(switches)}</text>'
        )
    else:
        name = f"× {numbers.integer(box.alike)}" if box.alike > 1 else _span(box.first, 1)
        label = f'<text x="{box.x:.1f}" y="{box.y + 4.2:.1f}">{name}</text>'
    return (
        f'<g class="box {box.tier}"><title>{escape(box_words(box, drawing, words, numbers))}</title>{shapes}'
        f'<rect x="{x:.1f}" y="{y:.1f}" {size}/>{label}</g>'
    )


def box_words(box: DrawnBox, drawing: FabricDrawing, words: Language, numbers: Numbers) -> str:
    """What a box stands for."""
    told = [words(f"one.{box.tier}", number=_span(box.first, box.alike))]
    if box.tier == "host":
        hosts = box.endpoints * drawing.hosts // drawing.endpoints
        told = [f"{numbers.integer(hosts)} {words('tiers.host')}"] if hosts > 1 else told
    told += [f"{numbers.integer(count)} {words(f'tiers.{tier}')}" for tier, count in box.switches.items() if count > 1]
    if box.endpoints:
        told.append(words("drawing.endpoints", count=numbers.integer(box.endpoints)))
    if box.inner_links:
        told.append(words("drawing.inner", count=numbers.integer(box.inner_links)))
    return words("words.comma").join(told)


def _link(link: DrawnLink, drawing: FabricDrawing, words: Language, numbers: Numbers) -> str:
    a, b = drawing.boxes[link.lower], drawing.boxes[link.upper]
    path = f"M{a.x:.1f} {a.y:.1f}L{b.x:.1f} {b.y:.1f}"
    if link.bend:
        length = max(1.0, ((b.x - a.x) ** 2 + (b.y - a.y) ** 2) ** 0.5)
        # A cubic curve passes three quarters as far from the straight line as its control points lie.
        by_x, by_y = (a.y - b.y) / length * link.bend / -0.75, (b.x - a.x) / length * link.bend / -0.75
        controls = f"{a.x + by_x:.1f} {a.y + by_y:.1f} {b.x + by_x:.1f} {b.y + by_y:.1f}"
        path = f"M{a.x:.1f} {a.y:.1f}C{controls} {b.x:.1f} {b.y:.1f}"
    most = _WIDEST_IN_ROWS if drawing.kind == "fat-tree" else min(5.0, max(1.2, 250 / len(drawing.links)))
    wide = max(_NARROWEST, most * link.weight**0.5)
    kind = "link"
    if link.use is not None:
        use = link.use
        kind += " dead" if use.dead == link.links else f" use-{step_of(max(use.up_peak, use.down_peak))}"
    return (
        f'<path class="{kind}" d="{path}" stroke-width="{wide:.2f}">'
        f"<title>{escape(link_words(link, words, numbers))}</title></path>"
    )


def link_words(link: DrawnLink, words: Language, numbers: Numbers) -> str:
    """What a line stands for, and how full it is."""
    counted = words("drawing.links", count=numbers.integer(link.links), rate=bits(link.bytes_per_s))
    told = [f"{links_name(link.link_class, words)}: {counted}"]
    if (use := link.use) is not None:
        for way, mean, peak in (("up", use.up_mean, use.up_peak), ("down", use.down_mean, use.down_peak)):
            told.append(words(f"drawing.{way}", mean=numbers.percent(mean), peak=numbers.percent(peak)))
        if use.dead:
            told.append(words("drawing.dead", count=numbers.integer(use.dead)))
    return "\n".join(told)
