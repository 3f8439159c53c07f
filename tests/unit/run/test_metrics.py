"""Metrics as Prometheus gets them: scraped over HTTP and parsed by Prometheus' own parser."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from myriad.errors import LaunchError
from myriad.run.metrics import serve_metrics
from myriad.spec.run import RunReport
from run_histories import killed_twice, stored


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def scraped(port: int) -> dict[str, dict[str, float]]:
    """Sample name -> value by the label beside `run`."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation.endswith(".")
        for sample in family.samples:
            assert sample.labels["run"].startswith("pretrain-")
            by = "".join(value for key, value in sample.labels.items() if key in ("category", "state"))
            found.setdefault(sample.name, {})[by] = sample.value
    return found


@pytest.fixture
def report(tmp_path: Path) -> RunReport:
    return stored(killed_twice(), tmp_path)


def test_a_scrape_has_the_books_the_steps_and_the_promise(report: RunReport) -> None:
    port = free_port()
    stop = serve_metrics(port, "pretrain-0001", lambda: report, "127.0.0.1")
    try:
        found = scraped(port)
    finally:
        stop()
    assert found["myriad_run_ledger_seconds"] == pytest.approx(report.ledger_s)
    assert found["myriad_run_step_seconds"][""] == 2.0
    assert found["myriad_run_promised_step_seconds"][""] == 1.5
    assert found["myriad_run_tokens_total"][""] == 25_000 + 5_000
    assert found["myriad_run_lost_tokens_total"][""] == 5_000
    assert found["myriad_run_interruptions_total"][""] == 2
    assert found["myriad_run_state"]["finished"] == 1.0
    assert found["myriad_run_readable"][""] == 1.0
    with pytest.raises(OSError, match="refused"):
        scraped(port)


def test_a_database_that_cannot_be_read_is_told_and_the_port_stays(report: RunReport) -> None:
    def unreadable() -> RunReport:
        raise LaunchError("locked")

    port = free_port()
    stop = serve_metrics(port, "pretrain-0001", unreadable, "127.0.0.1")
    try:
        assert scraped(port) == {"myriad_run_readable": {"": 0.0}}
    finally:
        stop()


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(LaunchError, match=rf"--metrics {port}: cannot listen on 127.0.0.1:{port}: address"):
            serve_metrics(port, "pretrain-0001", lambda: pytest.fail("not asked"), "127.0.0.1")
