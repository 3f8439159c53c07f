"""Every argument list that is written, run through the engines' own parsers, which `make engines` installs.

Elsewhere it is skipped: arguments are then held against the flags that were read from the same parsers
(tests/unit/launch/serving, src/myriad/data/engine-flags).
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from engines.write_flags import reader
from myriad import catalog
from myriad.api.launch_serving import has_experts
from myriad.launch.serving import commands_of
from myriad.launch.serving.render import front_of
from serving_deployments import launches

HERE = Path(__file__).parent
ENVIRONMENTS = os.environ.get("MYRIAD_ENGINES")
RELEASES = [line.split() for line in (HERE / "releases.txt").read_text("utf-8").splitlines()]
FLAGS = HERE.parents[1] / "src" / "myriad" / "data" / "engine-flags"
SERVERS = {"vllm": ("vllm", "serve"), "sglang": ("python3", "-m", "sglang.launch_server")}
ROUTERS = {"vllm": ("vllm-router",), "sglang": ("python3", "-m", "sglang_router.launch_router")}

pytestmark = pytest.mark.skipif(ENVIRONMENTS is None, reason="needs engines: make engines")


def refusals(engine: str, environment: str, lines: list[list[str]]) -> list[str | None]:
    """What the parser says to each line; `None` where it accepts it."""
    assert ENVIRONMENTS is not None
    python = Path(ENVIRONMENTS, environment, "bin", "python")
    done = subprocess.run(
        [python, HERE / "real_parsers.py", "accept", engine],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def server_lines(engine: str, release: str) -> dict[str, list[str]]:
    found = {}
    for name, one in launches(f"{engine}@{release}").items():
        for command in commands_of(one, catalog.engine_flags, has_experts(one)):
            for kind, words in (("leader", command.words), ("follower", command.other_words)):
                if words:
                    start = SERVERS[engine]
                    assert words[: len(start)] == start
                    filled = [
                        word.replace("{LEADER_ADDRESS}", "10.0.0.1").replace("{NODE_RANK}", "1")
                        for word in words[len(start) :]
                    ]
                    found[f"{name} {command.role} {kind}"] = filled
    return found


@pytest.mark.parametrize(("engine", "release", "environment"), [row for row in RELEASES if row[0] in SERVERS])
def test_servers_are_accepted(engine: str, release: str, environment: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = server_lines(engine, release)
    wrong = [[*next(iter(lines.values())), "--no-such-flag"], [*next(iter(lines.values())), "--port", "many"]]
    said = refusals(engine, environment, [*lines.values(), *wrong])
    assert all(said[-len(wrong) :]), "the parser refuses nothing"
    refused = {name: why for name, why in zip(lines, said, strict=False) if why}
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{engine} {release}: {len(lines) - len(refused)} of {len(lines)} argument lines accepted"
        )
    assert not refused, refused


@pytest.mark.parametrize("engine", ROUTERS)
def test_routers_are_accepted(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = []
    for one in launches(engine).values():
        front = front_of(one, catalog.engine_flags, commands_of(one, catalog.engine_flags, has_experts(one)))
        if front is not None:
            lines.append(list(front.words[len(ROUTERS[engine]) :]))
    router = f"{engine}-router"
    (environment,) = (row[2] for row in RELEASES if row[0] == router)
    said = refusals(router, environment, [*lines, [*lines[0], "--no-such-flag"]])
    assert said.pop(), "the parser refuses nothing"
    with capsys.disabled():
        print(f"\n{router}: {said.count(None)} of {len(lines)} argument lines accepted")  # noqa: T201
    assert said == [None] * len(lines)


@pytest.mark.parametrize(("engine", "release", "environment"), RELEASES)
def test_the_flags_that_are_shipped_are_those_of_the_parser(engine: str, release: str, environment: str) -> None:
    assert ENVIRONMENTS is not None
    done = subprocess.run(
        reader(engine, release, Path(ENVIRONMENTS, environment)),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    (shipped,) = FLAGS.glob(f"{engine}-{release}.json")
    found = json.loads(done.stdout)
    assert found["release"] == release
    assert found["flags"] == json.loads(shipped.read_text("utf-8"))["flags"]
