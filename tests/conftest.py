"""What all tests share: markers set from the folder, hypothesis without a clock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # half a minute to compile; one test compares compiled code with this
os.environ.pop("MYRIAD_CATALOG", None)  # a user's own catalog must not decide a test
settings.register_profile("myriad", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("myriad")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test with its folder under tests/; docstring examples of src/ become `doctest`."""
    for item in items:
        parts = item.path.relative_to(ROOT).parts
        folder = parts[1] if parts[0] == "tests" else "doctest"
        item.add_marker(folder)
