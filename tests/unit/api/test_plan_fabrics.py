import pytest

import myriad
from myriad.report.fabric_words import pool_bill_words, pool_fabric_words, step_fabric_words
from myriad.report.html import plan_html
from myriad.report.language import language
from myriad.report.numbers import Numbers
from myriad.spec.result import Plan

SYSTEM = """
myriad: 1
name: two-pools
currency: USD
pools:
  joined:
    node: dgx-h100
    count: 256
    fabric: {topology: {kind: fat-tree, switch: qm9700, oversubscription: 3}}
    terms: {kind: owned, price_per_gpu: 90000 USD/GPU, lifetime: 5 years, electricity: 0.1 USD/kWh}
  free: {node: dgx-h100, count: 64}
  rented: {node: dgx-h100, count: 64, fabric: rail-only-ndr, terms: {kind: rented, price: 2 USD/GPU-h}}
models: {m: llama2-7b}
jobs:
  train: {model: m, pools: [joined], seq_len: 4096, global_batch: 256, layout: {dp: 256, zero: 1}}
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    path = tmp_path_factory.mktemp("plan") / "system.yaml"
    path.write_text(SYSTEM, encoding="utf-8")
    return myriad.plan(path)


def test_pools_without_a_fabric_have_none(plan: Plan) -> None:
    assert list(plan.fabrics) == ["joined", "rented"]


def test_an_owned_pool_has_a_bill_beside_what_its_file_counts(plan: Plan) -> None:
    owned, rented = plan.fabrics["joined"], plan.fabrics["rented"]
    assert owned.bill is not None
    assert (owned.bill.num_accelerators, owned.bill.num_endpoints) == (256, 256)
    assert owned.stated_usd == 256 * 90_000
    english = language("en")
    told = " ".join(pool_bill_words(owned, english, Numbers(english)))
    share = owned.bill.total_usd / owned.stated_usd
    assert f"the bill is {100 * share:.1f} % of that" in told
    assert pool_bill_words(rented, english, Numbers(english)) == []
    assert (rented.bill, rented.stated_usd) == (None, None)


def test_a_fabric_is_described_drawn_and_carries_the_planned_step(plan: Plan) -> None:
    fabric = plan.fabrics["joined"]
    assert fabric.description.num_endpoints == fabric.drawing.endpoints == 256
    (step,) = fabric.steps
    assert (step.job, step.pool, step.num_accelerators) == ("train", "joined", 256)
    assert step.pictures is not None
    assert len(step.pictures.drawing.links) == len(fabric.drawing.links)
    between = [one for one in step.pictures.heat.classes if one.link_class == "leaf-spine"]
    assert all(0 < one.peak_fraction <= 1 for one in between)


def test_the_simulated_step_and_the_plans_own_agree(plan: Plan) -> None:
    """The plan counts tiers of bandwidth, the simulation flows; both know that leaves are oversubscribed."""
    (step,) = plan.fabrics["joined"].steps
    assert plan.jobs[0].chosen is not None
    planned_s = plan.jobs[0].chosen.step_s
    assert planned_s is not None
    assert step.planned_step_s <= step.step_s
    assert step.step_s == pytest.approx(planned_s, rel=0.1)


def test_a_plan_is_read_back_with_its_fabrics_and_an_old_one_without(plan: Plan) -> None:
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    old = plan.model_dump(mode="json", exclude={"fabrics"})
    assert Plan.model_validate(old).fabrics == {}


@pytest.mark.parametrize("code", ["en", "zh"])
def test_report_and_words_have_the_fabric(plan: Plan, code: str) -> None:
    words = language(code)
    told = pool_fabric_words(plan.fabrics["joined"], words, Numbers(words))
    bought = pool_bill_words(plan.fabrics["joined"], words, Numbers(words))
    told += step_fabric_words(plan.fabrics["joined"].steps[0], plan, words, Numbers(words))
    assert any("32" in line for line in told)
    page = plan_html(plan, code)
    assert 'href="#fabric-0"' in page
    assert all(line in page for line in bought)
    assert page.count('<svg class="fabric heat"') == len(plan.fabrics["joined"].steps[0].pictures.heat.maps)  # type: ignore[union-attr]
