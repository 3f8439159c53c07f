"""The points of a search over deployments as CSV, one row each, numbers unrounded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from myriad.report.serving_views import deployment_text
from myriad.spec.serving_search import DeploymentPoint, RankedDeployment, ServingSearch

COLUMNS = (
    "list", "place", "deployment", "tp", "pp", "dp", "ep", "replicas", "prefill_tp", "prefill_pp", "prefill_dp",
    "prefill_ep", "prefill_replicas", "precision", "kv_precision", "dispatch", "max_sequences", "max_batched_tokens",
    "gpus", "concurrency", "requests_per_s", "output_tokens_per_s", "output_tokens_per_s_per_gpu",
    "tokens_per_s_per_user", "ttft_s", "ttft_at_percentile_s", "tpot_s", "tpot_at_percentile_s", "limit",
)  # fmt: skip


def points_csv(search: ServingSearch) -> str:
    """The ranking, the front and the front of each kind; `list` says which, `place` counts within it."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for name, points in (("ranked", search.ranked), ("pareto", search.pareto), *search.curves.items()):
        writer.writerows(_row(name, place, point) for place, point in enumerate(points, 1))
    return text.getvalue()


def _row(name: str, place: int, point: DeploymentPoint) -> dict[str, object]:
    after, before = point.deployment.replicas, point.deployment.prefill
    row: dict[str, object] = {
        "list": name,
        "place": place,
        "deployment": deployment_text(point.deployment),
        "replicas": after.count,
        "precision": after.work.precision,
        "kv_precision": after.work.kv_precision,
        "dispatch": after.work.dispatch,
        "max_sequences": after.work.max_sequences,
        "max_batched_tokens": (before or after).work.max_batched_tokens,
        "gpus": point.gpus,
        "limit": point.limit if isinstance(point, RankedDeployment) else None,
    }
    row |= dict(_sizes(after.layout.model_dump(), ""))
    if before is not None:
        row |= {"prefill_replicas": before.count, **dict(_sizes(before.layout.model_dump(), "prefill_"))}
    return row | {column: getattr(point, column) for column in COLUMNS if column in DeploymentPoint.model_fields}


def _sizes(layout: dict[str, int], prefix: str) -> Iterator[tuple[str, int]]:
    return ((prefix + name, size) for name, size in layout.items())
