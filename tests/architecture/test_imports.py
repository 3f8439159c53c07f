"""Imports point down only; heavy libraries load late; formulas touch nothing outside.

The layers themselves are drawn in pyproject.toml, [tool.importlinter].
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import myriad

PACKAGE = Path(myriad.__file__).parent
ROOT = PACKAGE.parent.parent
HEAVY = {"matplotlib", "pandas", "pyarrow", "ray", "scipy", "torch"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_imports_point_down_only() -> None:
    done = run(str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--config", "pyproject.toml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("code", ["import myriad", "import myriad.cli", "import myriad.api"])
def test_heavy_libraries_are_not_loaded_by(code: str) -> None:
    done = run(sys.executable, "-c", f"{code}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})")
    assert done.returncode == 0, done.stderr
    assert not HEAVY & set(done.stdout.split())


def calls_of_builtins(path: Path) -> set[str]:
    """Names called without a dot in one file, for example `open`."""
    calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("estimate/**/*.py")), ids=lambda path: path.stem)
def test_formulas_open_and_print_nothing(path: Path) -> None:
    assert not calls_of_builtins(path) & {"open", "print", "input", "exec", "eval"}
