"""The documentation builds without a warning, and its pages ask nobody else for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(https?:)?//|<link[^>]*rel=["']?stylesheet[^>]*//"""
)
pytestmark = pytest.mark.xdist_group("site")  # one process builds it, once


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_pages_fetch_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 8
    assert not [page.name for page in pages if FETCHED.search(page.read_text("utf-8"))]


def test_no_block_is_left_unformatted(site: Path) -> None:
    assert not [page.parent.name for page in site.rglob("*.html") if "```" in page.read_text("utf-8")]


def test_reference_is_written_from_the_code(site: Path) -> None:
    page = (site / "system-file" / "index.html").read_text("utf-8")
    assert "Share of the time that trains" in page
    assert "fields:" not in page
