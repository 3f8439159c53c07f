"""Files that start a deployment, compared with stored ones, which `make golden` renews."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from myriad.api import launch_files
from myriad.spec.serving_launch import ServingLaunch
from serving_deployments import launches, trtllm_launches

ROOT = Path(__file__).parents[2]
STORED = Path(__file__).parent / "launch"
CASES: dict[str, ServingLaunch | Path] = {
    "vllm-one-node": launches("vllm@0.18.0")["gpt-oss-120b-dp"],
    "vllm-two-nodes": launches("vllm@0.18.0")["llama3.1-405b-tp16"],
    "vllm-split": launches("vllm@0.18.0")["mimo-v2-flash-split"],
    "sglang-split": ROOT / "examples" / "serve-deepseek-v3.yaml",
    "tensorrt-llm-split": trtllm_launches("1.2.0rc6.post2")["qwen3-32b-split"],
}


@pytest.mark.parametrize("name", CASES)
def test_files_are_as_stored(name: str) -> None:
    text = "".join(f"==> {file.path} <==\n{file.text}\n" for file in launch_files(CASES[name]))
    file = STORED / f"{name}.txt"
    if "MYRIAD_RENEW_GOLDEN" in os.environ:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")
