import xml.etree.ElementTree as ElementTree

import pytest

from myriad.report.palette import SERIES_COLOURS
from myriad.report.scatter import scatter_page, scatter_svg
from myriad.spec.fitted import Bands
from myriad.spec.validation import RowResult

BANDS = Bands(share=0.8, families={"dense": 0.1, "moe": 0.3, "hybrid": 0.2}, unknown_stack=0.0, unknown_accelerator=0.1)


def row(number: int, family: str = "dense", error: float = 0.0) -> RowResult:
    measured = 100.0 * 1.5**number
    return RowResult(
        id=f"r-{number}", measured=measured, predicted=measured * (1 + error), error=error, measured_from="", source="",
        model="a <b> & 'c'", family=family, lineage="a", accelerator="h100-sxm", num_gpus=8, precision="bf16",
        stack="nemo", parallelism="DP", layout="DP8", assumed=(), step_s=1.0, fits=True, memory_peak_bytes=1.0,
        memory_capacity_bytes=2.0, judges_memory=True,
    )  # fmt: skip


def circles(svg: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(svg).findall(".//{*}g/{*}circle")


def test_every_run_is_drawn_twice_inside_the_picture():
    svg = scatter_svg({"one": [row(1), row(2, error=1.3)], "two": [row(9, "moe", -0.4)]}, BANDS)
    points = circles(svg)
    assert len(points) == 6
    _, _, width, height = map(float, ElementTree.fromstring(svg).attrib["viewBox"].split())
    assert all(0 < float(p.attrib["cx"]) < width and 0 < float(p.attrib["cy"]) < height for p in points)


def test_a_perfect_estimate_lies_on_the_line_and_a_high_one_above():
    perfect, high = row(3), row(3, error=0.5)
    upper = [p for p in circles(scatter_svg({"one": [row(0), perfect, high, row(9)]}, BANDS)) if not len(p)]
    x, y = (float(upper[1].attrib[axis]) for axis in ("cx", "cy"))
    ends = [(float(p.attrib["cx"]), float(p.attrib["cy"])) for p in (upper[0], upper[3])]
    slope = (ends[1][1] - ends[0][1]) / (ends[1][0] - ends[0][0])
    assert y == pytest.approx(ends[0][1] + slope * (x - ends[0][0]), abs=0.2)
    assert float(upper[2].attrib["cy"]) < y


def test_more_groups_than_colours_leave_the_smallest_to_others():
    groups = {f"g{n}": [row(n)] * (20 - n) for n in range(12)}
    svg = scatter_svg(groups, BANDS)
    assert "others (55)" in svg
    assert "g0 (20)" in svg
    assert "g7" not in svg.replace("g7 ", "")
    assert svg.count(f"<g fill='{SERIES_COLOURS[-1]}'") == 2


def test_it_stands_alone_or_takes_the_colours_of_its_page():
    groups = {"one": [row(1), row(2)]}
    assert "prefers-color-scheme" in scatter_svg(groups, BANDS)
    assert "prefers-color-scheme" not in scatter_svg(groups, BANDS, alone=False)
    page = scatter_page(groups, BANDS, "A <title>")
    assert "<title>A &lt;title&gt;</title>" in page
    assert "<svg" in page


def test_only_bands_of_families_that_are_there_are_shaded():
    svg = scatter_svg({"one": [row(1), row(2, "moe")]}, BANDS)
    assert svg.count("<polygon") == 2
    assert "shaded: 80% bands of dense, moe" in svg
