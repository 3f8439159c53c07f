import json
import re
import time
from html.parser import HTMLParser

import pytest

from myriad.errors import SpecError
from myriad.report.html import plan_html
from myriad.report.json import plan_json
from myriad.spec.result import Plan

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \"quoted\" & 'single' <!-- "


class Outline(HTMLParser):
    """Elements with their attributes, headings, and the text of data scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.data: dict[str, str] = {}
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = str(dict(attrs).get("id", "")) if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.data[self._inside] = self.data.get(self._inside, "") + data


@pytest.fixture(scope="module", params=["en", "zh"])
def page(request: pytest.FixtureRequest, plan: Plan) -> str:
    return plan_html(plan, request.param)


def test_the_page_names_no_other_file(page: str) -> None:
    for tag, attrs in Outline(page).tags:
        assert tag not in {"link", "img", "iframe", "base", "object", "embed"}
        assert not any(name.startswith("on") for name in attrs)
        assert "src" not in attrs
        if "href" in attrs:
            assert str(attrs["href"]).startswith("#")


def test_every_reference_inside_the_page_exists_and_ids_are_unique(page: str) -> None:
    tags = Outline(page).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    wanted = [str(attrs["href"])[1:] for _, attrs in tags if "href" in attrs]
    wanted += [
        str(attrs[a]) for _, attrs in tags for a in ("aria-labelledby", "data-filter", "data-select") if a in attrs
    ]
    assert set(wanted) <= set(ids)


def test_tables_have_captions_and_heads(page: str) -> None:
    tables = re.findall(r"<table.*?</table>", page, re.S)
    assert len(tables) > 10
    for table in tables:
        assert "<caption" in table
        assert 'scope="col"' in table


def test_the_raw_plan_is_inside(page: str, plan: Plan) -> None:
    data = Outline(page).data["plan-data"]
    assert json.loads(data) == json.loads(plan_json(plan))


def test_charts_have_places(page: str) -> None:
    outline = Outline(page)
    charts = json.loads(outline.data["chart-data"])["charts"]
    places = {str(attrs["id"]) for tag, attrs in outline.tags if attrs.get("role") == "img"}
    assert set(charts) == places
    assert {chart["kind"] for chart in charts.values()} == {"step", "memory", "pareto", "sensitivity", "timeline"}


def test_chart_series_sum_to_the_step(page: str, plan: Plan) -> None:
    chart = json.loads(Outline(page).data["chart-data"])["charts"]["job-0-step"]
    assert plan.jobs[0].chosen
    assert plan.jobs[0].chosen.estimate
    assert sum(s["values"][0] for s in chart["series"]) == pytest.approx(plan.jobs[0].chosen.estimate.step_s)


def test_what_users_wrote_stays_text(plan: Plan) -> None:
    job = plan.jobs[0].model_copy(update={"name": HOSTILE, "model_name": HOSTILE, "caveats": (HOSTILE,)})
    hostile = plan.model_copy(
        update={"system": HOSTILE, "description": HOSTILE, "jobs": (job, *plan.jobs[1:]), "warnings": (HOSTILE,)}
    )
    page = plan_html(hostile)
    outline, plain = Outline(page), Outline(plan_html(plan))
    assert [tag for tag, _ in outline.tags].count("script") == [tag for tag, _ in plain.tags].count("script")
    assert "img" not in {tag for tag, _ in outline.tags}
    assert json.loads(outline.data["plan-data"])["system"] == HOSTILE


def test_language_is_declared(plan: Plan) -> None:
    assert '<html lang="en">' in plan_html(plan)
    assert '<html lang="zh-CN">' in plan_html(plan, "zh")
    with pytest.raises(SpecError, match="unknown language 'fr'"):
        plan_html(plan, "fr")


def test_same_plan_same_page(plan: Plan) -> None:
    assert plan_html(plan) == plan_html(plan)


def test_small_and_fast(plan: Plan) -> None:
    start = time.perf_counter()
    page = plan_html(plan)
    assert time.perf_counter() - start < 0.3
    assert len(page.encode()) < 1.5e6


@pytest.mark.parametrize("missing", ["estimate", "search", "comparison", "costs", "sensitivity", "days"])
def test_a_plan_with_gaps_still_renders(plan: Plan, missing: str) -> None:
    empty: object = () if missing in {"costs", "sensitivity"} else None
    job = plan.jobs[0]
    assert job.chosen
    update = (
        {missing: empty}
        if missing in {"comparison", "sensitivity"}
        else {"chosen": job.chosen.model_copy(update={missing: empty})}
    )
    changed = plan.model_copy(update={"jobs": (job.model_copy(update=update),), "total_cost_usd": None})
    for lang in ("en", "zh"):
        assert "pretrain-pro" in plan_html(changed, lang)
