"""Files that start training jobs, compared with stored ones, which `make golden` renews."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from myriad import catalog
from myriad.launch.training.frameworks import framework_files
from training_launches import launch, launches, titan_launches

STORED = Path(__file__).parent / "training"
CASES = {
    "megatron-lm-flagship": launches("megatron-lm")["mimo-v2-pro"],
    "megatron-lm-70b": launches("megatron-lm")["llama3-70b"],
    "megatron-bridge-flagship": launches("megatron-bridge")["mimo-v2-pro"],
    "megatron-bridge-70b": launches("megatron-bridge")["llama3-70b"],
    "torchtitan-flagship": titan_launches("torchtitan")["mimo-v2-pro"],
    "torchtitan-70b": titan_launches("torchtitan")["llama3-70b"],
    "deepspeed-70b": launch(
        "llama3-70b", {"dp": 256, "zero": 3}, global_batch=512, framework="deepspeed", how={"script": "/code/train.py"}
    ),
    "reference-70b": launch("llama3-70b", {"tp": 8, "dp": 32, "zero": 3}, global_batch=512, framework="reference"),
}


@pytest.mark.parametrize("name", CASES)
def test_files_are_as_stored(name: str) -> None:
    files = framework_files(CASES[name], catalog.engine_flags)
    text = "".join(f"==> {file.path} <==\n{file.text}\n" for file in files)
    stored = STORED / f"{name}.txt"
    if "MYRIAD_RENEW_GOLDEN" in os.environ:
        stored.parent.mkdir(exist_ok=True)
        stored.write_text(text, "utf-8")
    assert text == stored.read_text("utf-8")
