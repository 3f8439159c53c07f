"""The examples in the README and the documentation run as they are written.

    ```yaml title="NAME"      written to NAME in the folder of the page
    ```yaml                   a block that starts with `myriad: 1` must be a valid system file or, with `axes`, a grid
    ```python                 run, page by page in one namespace, in the folder of the page
    ```pycon                  a doctest
    ```console                lines after `$ ` run if they call myriad; output that is given must appear, `...` is any

A comment on the line before a block says what is special about it: `<!-- wrong -->` a system file that is meant to be
refused, `<!-- exit 2 -->` the exit code of a console block, `<!-- not run -->`.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from myriad.catalog import read_spec
from myriad.spec.sweep import Grid
from myriad.spec.system import System

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
FENCE = re.compile(r"^(?:<!-- ([\w ]+) -->\n)?```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MYRIAD = re.compile(r"(\w+=\S+ )*myriad ")


@dataclass(frozen=True)
class Block:
    remark: str
    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    found = FENCE.findall(page.read_text("utf-8"))
    titles = [re.search(r'title="([^"]+)"', options) for _, _, options, _ in found]
    return [
        Block(remark, language, title[1] if title else "", text)
        for (remark, language, _, text), title in zip(found, titles, strict=True)
        if remark != "not run"
    ]


def check_console(text: str, wanted_code: int) -> None:
    """Runs the commands of a console block that call myriad; output that it shows must appear in that order."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "COLUMNS": "200"}
    for part in text.split("$ ")[1:]:
        command, _, output = part.partition("\n")
        if not MYRIAD.match(command):
            continue
        shell = ["/bin/sh", "-c", command]
        done = subprocess.run(shell, env=environment, capture_output=True, text=True, timeout=120, check=False)
        printed = done.stdout + done.stderr
        assert done.returncode == wanted_code, f"$ {command}\n{printed}"
        assert "Traceback" not in printed, f"$ {command}\n{printed}"
        rest = printed
        for line in filter(None, map(str.strip, output.splitlines())):
            if line != "...":
                _, found, rest = rest.partition(line)
                assert found, f"$ {command}\ndoes not print {line!r} there, but\n{printed}"


def check_doctest(text: str, page: Path) -> None:
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def check_file(text: str) -> None:
    file = Path("block.yaml")
    file.write_text(text, "utf-8")
    read_spec(file, Grid if "\naxes:" in text else System)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_of(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("examples").symlink_to(ROOT / "examples")
    namespace: dict[str, object] = {}
    for block in blocks(page):
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.text, "utf-8")
        match block.language:
            case "yaml" if block.text.startswith("myriad: 1") and block.remark != "wrong":
                check_file(block.text)
            case "python":
                exec(compile(block.text, str(page), "exec"), namespace)
            case "pycon":
                check_doctest(block.text, page)
            case "console":
                code = re.fullmatch(r"exit (\d+)", block.remark)
                check_console(block.text, int(code[1]) if code else 0)
