"""What all tests share: markers set from the folder, hypothesis without a clock."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # half a minute to compile; one test compares compiled code with this
os.environ.pop("MYRIAD_CATALOG", None)  # a user's own catalog must not decide a test
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as for what a script starts in the background, and its children
    signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("myriad", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("myriad")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks each test with its folder under tests/; docstring examples of src/ and of helpers become `doctest`."""
    for item in items:
        parts = item.path.relative_to(ROOT).parts
        folder = parts[1] if parts[0] == "tests" and len(parts) > 2 else "doctest"
        item.add_marker(folder)
