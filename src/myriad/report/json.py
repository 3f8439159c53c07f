"""The plan as JSON: the same values, nothing rounded."""

from __future__ import annotations

import json

from myriad.spec.result import Plan


def plan_json(plan: Plan, indent: int | None = 2) -> str:
    """The plan as JSON text, its keys in the order of `spec.result`, so that equal plans give equal text.

    A value that is not finite raises ValueError: no result may hold one.
    """
    separators = None if indent else (",", ":")
    values = plan.model_dump(mode="python")
    return json.dumps(values, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
