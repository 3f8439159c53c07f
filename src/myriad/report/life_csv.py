"""Events of simulated runs as CSV, one line each."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping

from myriad.spec.campaign_result import LifeEvent

COLUMNS = ("job", "run", "time_s", "kind", "cause", "node", "lost_s")


def events_csv(runs_of_jobs: Mapping[str, Iterable[Iterable[LifeEvent]]]) -> str:
    """Every event of every run of every job, in their order. Times are seconds from the start of the run."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for job, runs in runs_of_jobs.items():
        for number, events in enumerate(runs):
            for event in events:
                node = "" if event.node is None else event.node
                rows.writerow(
                    (job, number, f"{event.time_s:.3f}", event.kind, event.cause, node, f"{event.lost_s:.3f}")
                )
    return text.getvalue()
