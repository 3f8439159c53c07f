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
    "megatron-lm": "tests/engines/megatron_arguments.txt; those that set a field of a class of megatron-core {release} "
    "checked by tests/engines/megatron_configs.py, the others from general knowledge of Megatron-LM, not read",
    "torchtitan": "JobConfig of package torchtitan {release}, read by tests/engines/torchtitan_job.py",
    "megatron-bridge": "ConfigContainer of package megatron-bridge {release} and the classes of megatron-core 0.16.1 "
    "under it, read by tests/engines/bridge_keys.py",
    "deepspeed": "configuration classes of package deepspeed {release}, read by tests/engines/deepspeed_keys.py",
    "tensorrt-llm": "options: template for {release} in package aiconfigurator 0.12.0, read by "
    "tests/engines/template_keys.py; flags: documentation of trtllm-serve, from general knowledge, not read anew",
}


READERS = {
    "megatron-lm": "megatron_configs.py",
    "torchtitan": "torchtitan_job.py",
    "megatron-bridge": "bridge_keys.py",
    "deepspeed": "deepspeed_keys.py",
}
"""What reads training frameworks; servers have parsers."""


def reader(engine: str, release: str, environment: Path) -> list[str | Path]:
    """The command that prints what a release in its environment knows."""
    if engine == "tensorrt-llm":
        return [sys.executable, HERE / "template_keys.py", environment, release]
    python = environment / "bin" / "python"
    if engine in READERS:
        return [python, HERE / READERS[engine], "flags"]
    return [python, HERE / "real_parsers.py", "flags", engine]


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
        done = subprocess.run(
            reader(engine, release, environments / environment), capture_output=True, text=True, check=True, timeout=120
        )
        found = json.loads(done.stdout)
        assert found["release"] == release, (found["release"], release)
        (FOLDER / f"{engine}-{release}.json").write_text(text_of(found, today), "utf-8")


if __name__ == "__main__":
    main()
