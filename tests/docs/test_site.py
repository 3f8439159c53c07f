"""The documentation builds without a warning, and its pages ask nobody else for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(https?:)?//|<link[^>]*rel=["']?stylesheet[^>]*//"""
)


def test_site_builds_and_stands_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    pages = {str(path.relative_to(tmp_path).parent): path.read_text("utf-8") for path in tmp_path.rglob("*.html")}
    assert {"system-file", "tutorial", "accuracy"} <= pages.keys()
    assert not [name for name, page in pages.items() if FETCHED.search(page)]
    assert not [name for name, page in pages.items() if "```" in page], "a fence that Markdown does not understand"
    assert not [name for name, page in pages.items() if "<!-- " in page and "fields:" in page], "a mark left unfilled"
    assert "Share of the time that trains" in pages["system-file"]
    accuracy = pages["accuracy"]
    assert "<!-- accuracy" not in accuracy
    assert accuracy.count('<div class="accuracy"><svg') == 2
    assert accuracy.count("Depends most on:") == 20, "the twenty worst rows, each explained"
    assert "What would settle it:" in accuracy
