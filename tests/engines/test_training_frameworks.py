"""Every training job that is rendered, taken by the frameworks themselves, which `make engines` installs.

Elsewhere it is skipped: what is written is then held against the names that were read from the same packages.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from myriad import catalog
from myriad.estimate.parameters import model_parameters
from myriad.launch.files import File
from myriad.launch.training.frameworks import framework_files
from myriad.launch.training.frameworks.megatron_lm import arguments
from myriad.spec.training_launch import TrainingLaunch
from training_launches import FLAGSHIP, TITAN_DIFFERENCES, launch, launches, reduced, titan_launches

HERE = Path(__file__).parent
ENVIRONMENTS = os.environ.get("MYRIAD_ENGINES")

pytestmark = pytest.mark.skipif(ENVIRONMENTS is None, reason="needs engines: make engines")

FLAGSHIP_10000 = launch(
    "mimo-v2-pro", FLAGSHIP | {"dp": 200, "zero": 3, "shard": 80}, global_batch=16400, mtp_depths=1,
    framework="torchtitan", how={"differences": TITAN_DIFFERENCES},
)  # fmt: skip
"""The flagship on all accelerators of its pool, in five copies: 25 ranks, all that hold an expert, cannot shard it. No
such layout divides its batch of 16,384."""


def run(environment: str, script: str, *words: str | Path, lines: list[Any] = [], limit_s: float = 560) -> str:  # noqa: B006
    """What a framework says on standard output."""
    assert ENVIRONMENTS is not None
    done = subprocess.run(
        [Path(ENVIRONMENTS, environment, "bin", "python"), HERE / script, *words],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def put(folder: Path, one: TrainingLaunch) -> tuple[File, ...]:
    files = framework_files(one, catalog.engine_flags)
    folder.mkdir()
    for file in files:
        (folder / file.path).write_text(file.text, "utf-8")
    return files


def said(output: str, number: int) -> list[str | None]:
    return [json.loads(line) for line in output.splitlines()[-number:]]


def test_megatron_core_takes_every_value(capsys: pytest.CaptureFixture[str]) -> None:
    flags = catalog.engine_flags("megatron-lm")
    lines = {name: list(arguments(one, flags)[0]) for name, one in launches("megatron-lm").items()}
    first = lines["llama3-70b"]
    wrong = [
        [*first, "--no-such-flag"],
        [*first, "--moe-router-dtype", "int8"],
        ["29" if word == "64" else word for word in first],  # heads that tensor parallelism does not divide
        [word.replace("t*8|", "t*7|", 1) for word in lines["llama3.1-405b-split"]],  # a layer is lost
    ]
    found = said(run("megatron-core", "megatron_configs.py", "accept", lines=[*lines.values(), *wrong]), len(lines) + 4)
    assert all(found[-len(wrong) :]), f"nothing is refused: {found[-len(wrong) :]}"
    refused = {name: why for name, why in zip(lines, found, strict=False) if why}
    with capsys.disabled():
        print(f"\nmegatron-core 0.16.1: {len(lines) - len(refused)} of {len(lines)} jobs accepted")  # noqa: T201
    assert not refused, refused


def test_megatron_bridge_gets_what_megatron_lm_gets() -> None:
    """Fields of the script are those that arguments set, which Megatron-Core took above."""
    for name, one in launches("megatron-bridge").items():
        tables = {}
        for node in ast.parse(framework_files(one, catalog.engine_flags)[1].text).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                tables[node.targets[0].id] = ast.literal_eval(node.value)
        words = arguments(launches("megatron-lm")[name], catalog.engine_flags("megatron-lm"))[0]
        for flag, value in {
            "--num-layers": tables["MODEL"]["num_layers"],
            "--pipeline-model-parallel-size": tables["MODEL"]["pipeline_model_parallel_size"],
            "--global-batch-size": tables["TRAIN"]["global_batch_size"],
            "--save-interval": tables["CHECKPOINT"]["save_interval"],
        }.items():
            assert words[words.index(flag) + 1] == str(value), (name, flag)


def test_torchtitan_takes_every_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for name, one in titan_launches("torchtitan").items():
        put(tmp_path / name, one)
        paths.append(tmp_path / name / "torchtitan.toml")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(paths[0].read_text("utf-8").replace("tensor_parallel_degree", "tensor_paralel_degree"), "utf-8")
    assert ENVIRONMENTS is not None
    done = subprocess.run(
        [Path(ENVIRONMENTS, "torchtitan", "bin", "python"), HERE / "torchtitan_job.py", "accept"],
        input="".join(f"{path}\n" for path in (*paths, wrong)),
        capture_output=True, text=True, timeout=560, check=True,
    )  # fmt: skip
    found = said(done.stdout, len(paths) + 1)
    assert "tensor_paralel_degree" in (found.pop() or ""), "a misspelt key is not refused"
    with capsys.disabled():
        print(f"\ntorchtitan 0.2.2: {found.count(None)} of {len(found)} files accepted")  # noqa: T201
    assert found == [None] * len(found)


@pytest.mark.parametrize("name", ["llama3-8b", "llama3-70b", "qwen3-4b", "qwen3-30b-a3b"])
def test_torchtitan_builds_the_model_that_is_described(name: str, tmp_path: Path) -> None:
    one = titan_launches("torchtitan")[name]
    put(tmp_path / "job", one)
    built = int(run("torchtitan", "torchtitan_job.py", "build", tmp_path / "job" / "torchtitan.toml").split()[-1])
    assert built == model_parameters(one.model).total


@pytest.mark.parametrize(
    ("one", "meshes"),
    [
        (titan_launches("torchtitan")["mimo-v2-pro"], {"pp": 25, "fsdp": 256, "cp": 2, "ep": 16, "efsdp": 16}),
        (FLAGSHIP_10000, {"pp": 25, "dp_replicate": 5, "fsdp": 80, "cp": 2, "ep": 16, "efsdp": 5}),
    ],
    ids=["6400", "10000"],
)
def test_torchtitan_trains_the_flagship_dry(one: TrainingLaunch, meshes: dict[str, int], tmp_path: Path) -> None:
    """All layers, experts, meshes, stages and micro-batches; widths and sequence are cut to what a CPU computes."""
    put(tmp_path / "job", reduced(one))
    ranks = str(one.world_size)
    output = run(
        "torchtitan", "torchtitan_job.py", "dry-run", tmp_path / "job" / "torchtitan.toml", ranks, "2", limit_s=560
    )
    found = json.loads(output.splitlines()[-1])
    assert found == {"steps": 2, "world_size": one.world_size, "meshes": meshes}


def test_deepspeed_understands_the_batch() -> None:
    how, layout = {"script": "/code/train.py"}, {"dp": 64, "micro_batch": 2}
    jobs = [
        launch("llama3-8b", layout | {"zero": zero}, global_batch=512, framework="deepspeed", how=how)
        for zero in (0, 1, 2, 3)
    ]
    lines = [
        {"config": json.loads(framework_files(one, catalog.engine_flags)[1].text), "ranks": one.world_size}
        for one in jobs
    ]
    wrong = [{"config": lines[0]["config"] | {"zero_optimization": {"stge": 1}}, "ranks": 64}, lines[0] | {"ranks": 63}]
    found: list[Any] = said(run("deepspeed", "deepspeed_keys.py", "accept", lines=[*lines, *wrong]), len(lines) + 2)
    assert all(isinstance(one, str) for one in found[-2:]), "nothing is refused"
    for one, heard in zip(jobs, found, strict=False):
        assert heard == {
            "train_batch_size": 512, "micro_batch": 2, "accumulation": 4, "stage": one.layout.zero, "bf16": True
        }  # fmt: skip
