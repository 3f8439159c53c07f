import json

import pytest

from myriad.report.json import plan_json
from myriad.spec.result import Plan


def test_json_is_the_plan(plan: Plan) -> None:
    assert Plan.model_validate_json(plan_json(plan)) == plan
    assert plan_json(plan) == plan_json(Plan.model_validate_json(plan_json(plan)))


def test_compact_json_has_the_same_values(plan: Plan) -> None:
    assert json.loads(plan_json(plan, indent=None)) == json.loads(plan_json(plan))
    assert "\n" not in plan_json(plan, indent=None)


def test_not_a_number_is_refused(plan: Plan) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        plan_json(plan.model_copy(update={"plan_s": float("nan")}))
