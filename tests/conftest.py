"""What all tests share: markers set from the folder, hypothesis without a clock, Chromium where it is there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

os.environ.pop("MYRIAD_CATALOG", None)  # a user's own catalog must not decide a test
settings.register_profile("myriad", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("myriad")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test with its folder under tests/; docstring examples of src/ become `doctest`."""
    without_browser = pytest.mark.skip(reason="no chromium on this machine (apt-get install chromium)")
    for item in items:
        parts = item.path.relative_to(ROOT).parts
        folder = parts[1] if parts[0] == "tests" else "doctest"
        item.add_marker(folder)
        if folder == "browser" and CHROMIUM is None and "CI" not in os.environ:  # under CI they fail instead
            item.add_marker(without_browser)
