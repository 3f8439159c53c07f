"""The plan that reports are made of here; see tests/report_fixtures.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from myriad.spec.result import Plan

sys.path.insert(0, str(Path(__file__).parents[2]))
import report_fixtures


@pytest.fixture(scope="session")
def plan() -> Plan:
    return report_fixtures.plan()
