"""Ranking of the layouts of one job: bounds that may only get stricter."""

from __future__ import annotations

import pytest

from myriad.api import validate_ranking
from myriad.spec.validation import RankingValidation


@pytest.fixture(scope="module")
def result() -> RankingValidation:
    return validate_ranking()


def test_sets_come_from_published_runs_and_from_one_node(result):
    assert result.overall.sets == sum(group.sets for group in result.by_source.values()) == 100
    assert result.overall.layouts == 1308
    assert len(result.by_source) == 4


def test_layouts_are_ranked_no_worse_than_before(result):
    assert result.overall.median_spearman > 0.9
    assert result.overall.mean_regret < 0.05
    assert result.overall.worst_regret < 0.29


def test_models_that_nothing_was_fitted_to_are_ranked_too(result):
    wide = [found for found in result.per_set if found.model.startswith("vtrain-gpt-h2048")]
    correlations = sorted(found.spearman for found in wide)
    assert correlations[len(wide) // 2] > 0.85
    assert sum(found.regret for found in wide) / len(wide) < 0.05
