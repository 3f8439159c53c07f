"""Writes src/myriad/data/engine-flags from what the parsers in the environments of `make engines` know.

python tests/engines/write_flags.py ENVIRONMENTS
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / "src" / "myriad" / "data" / "engine-flags"
SOURCES = {
    "vllm": "the parser of `vllm serve`, package vllm {release}, run by tests/engines/real_parsers.py",
    "sglang": "the parser of `sglang.launch_server`, package sglang {release}, run by tests/engines/real_parsers.py",
    "vllm-router": "the parser of package vllm-router {release}, run by tests/engines/real_parsers.py",
    "sglang-router": "the parser of package sglang-router {release}, run by tests/engines/real_parsers.py",
    "tensorrt-llm": "options: template for {release} in package aiconfigurator 0.12.0, read by "
    "tests/engines/template_keys.py; flags: documentation of trtllm-serve, from general knowledge, not read anew",
}


def text_of(found: dict, read_on: str) -> str:
    """One line a flag, so that a difference between releases can be read."""
    head = {
        "engine": found["engine"],
        "release": found["release"],
        "source": SOURCES[found["engine"]].format(release=found["release"]),
        "read_on": read_on,
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    flags = [f"  {json.dumps(name)}: {json.dumps(flag, sort_keys=True)}" for name, flag in found["flags"].items()]
    return "\n".join(["{", *lines, ' "flags": {', ",\n".join(flags), " }", "}", ""])


def main() -> None:
    environments = Path(sys.argv[1])
    today = datetime.date.today().isoformat()
    for line in (HERE / "releases.txt").read_text("utf-8").splitlines():
        engine, release, environment = line.split()
        python = environments / environment / "bin" / "python"
        if engine == "tensorrt-llm":
            command = [sys.executable, HERE / "template_keys.py", environments / environment, release]
        else:
            command = [python, HERE / "real_parsers.py", "flags", engine]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        found = json.loads(done.stdout)
        assert found["release"] == release, (found["release"], release)
        (FOLDER / f"{engine}-{release}.json").write_text(text_of(found, today), "utf-8")


if __name__ == "__main__":
    main()
