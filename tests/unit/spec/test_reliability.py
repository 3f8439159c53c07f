"""Profiles of what breaks: what they refuse, and their ranges."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from myriad.spec.reliability import FailureCause, Reliability

FOUND = {"mean": 60.0}


def cause(**changes: object) -> dict[str, object]:
    return {"component": "gpu", "rate": {"per_1000_unit_days": 1.0}, "detection": FOUND, **changes}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rate": {"per_1000_unit_days": 1.0, "low": 2.0}}, "the range 2.0 to None does not hold 1.0"),
        ({"rate": {"per_1000_unit_days": 1.0, "high": 0.5}}, "the range None to 0.5 does not hold 1.0"),
        ({"effect": "slow"}, "a slow event needs a share below 1"),
        ({"speed": 0.5}, "only of slow events"),
        ({"lasts": FOUND}, "only of slow events"),
        ({"reach": "none"}, "an event that reaches no machine repairs none"),
        ({"shape": 0.0}, "greater than 0"),
        ({"burst": 0.5}, "greater than or equal to 1"),
    ],
)
def test_causes_that_contradict_themselves(changes, said):
    with pytest.raises(ValidationError, match=said):
        FailureCause.model_validate(cause(**changes))


def test_ends_of_the_ranges():
    profile = Reliability.model_validate(
        {
            "name": "x",
            "causes": {
                "a": cause(rate={"per_1000_unit_days": 2.0, "low": 1.0, "high": 5.0}),
                "b": cause(rate={"per_1000_unit_days": 3.0, "low": 0.0}),
            },
        }
    )

    def rates(one: Reliability) -> list[float]:
        return [cause.rate.per_1000_unit_days for cause in one.causes.values()]

    assert rates(profile.at("low")) == [1.0, 0.0]
    assert rates(profile.at("high")) == [5.0, 3.0]
    assert rates(profile) == [2.0, 3.0]
