"""What holds for the renderings of every training job: their numbers are those of the launch."""

from __future__ import annotations

import ast
import json
import shlex
import tomllib
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from myriad import catalog
from myriad.errors import SpecError
from myriad.launch.training.frameworks import framework_files
from myriad.spec.trainer import TrainerConfig
from myriad.spec.training_launch import TrainingLaunch
from training_launches import TITAN_DIFFERENCES, launch

POWERS = st.sampled_from([1, 2, 4, 8])
LAYOUTS = st.fixed_dictionaries(
    {
        "tp": POWERS, "pp": st.sampled_from([1, 2, 4, 5]), "cp": st.sampled_from([1, 2]), "dp": st.integers(1, 6),
        "vpp": st.sampled_from([1, 2]), "zero": st.sampled_from([0, 1, 2, 3]), "micro_batch": st.integers(1, 3),
        "ep": POWERS, "sp": st.booleans(), "order": st.sampled_from(["tp-cp-ep-dp-pp", "tp-cp-ep-pp-dp"]),
        "recompute": st.sampled_from(["none", "selective", "full"]),
    }
).filter(lambda of: of["vpp"] == 1 or of["pp"] > 1)  # fmt: skip
JOBS = st.builds(
    lambda model, framework, layout, batches, steps, interval: launch(
        model, layout, global_batch=layout["dp"] * layout["micro_batch"] * batches, framework=framework, steps=steps,
        gpus_per_node=1, checkpoint_interval_s=interval,
        how={"script": "/code/train.py", "differences": (*TITAN_DIFFERENCES, "prediction-block")},
    ),
    st.sampled_from(["llama3-8b", "qwen3-30b-a3b", "deepseek-v3", "mimo-v2-pro"]),
    st.sampled_from(["megatron-lm", "megatron-bridge", "torchtitan", "deepspeed", "reference"]),
    LAYOUTS, st.sampled_from([1, 4, 20]), st.integers(1, 10**6), st.none() | st.floats(0.1, 1e6),
)  # fmt: skip


def heard(one: TrainingLaunch, files: dict[str, str]) -> dict[str, Any]:
    """What a framework understands: degrees and batches, by the names of our layout."""
    match one.launch.framework:
        case "megatron-lm":
            words = shlex.split(files["start.sh"].partition("exec ")[2].replace("\\\n", " "))
            given = dict(pairwise(words))

            def value(flag: str) -> int:
                return int(given.get(flag, "1"))

            layers = given.get("--pipeline-model-parallel-layout", "")
            chunks = layers.count("|") + 1 if layers else value("--pipeline-model-parallel-size") * value(
                "--num-virtual-stages-per-pipeline-rank"
            )  # fmt: skip
            return {
                "tp": value("--tensor-model-parallel-size"), "pp": value("--pipeline-model-parallel-size"),
                "cp": value("--context-parallel-size"), "micro_batch": value("--micro-batch-size"), "chunks": chunks,
                "batch": value("--global-batch-size"), "steps": value("--train-iters"),
            }  # fmt: skip
        case "megatron-bridge":
            tables = {
                node.targets[0].id: ast.literal_eval(node.value)
                for node in ast.parse(files["pretrain.py"]).body
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
            }
            model, train = tables["MODEL"], tables["TRAIN"]
            layers, pp = model.get("pipeline_model_parallel_layout", ""), model["pipeline_model_parallel_size"]
            return {
                "tp": model["tensor_model_parallel_size"], "pp": pp, "cp": model["context_parallel_size"],
                "micro_batch": train["micro_batch_size"], "batch": train["global_batch_size"],
                "steps": train["train_iters"],
                "chunks": layers.count("|") + 1 if layers
                else pp * model.get("virtual_pipeline_model_parallel_size", 1),
            }  # fmt: skip
        case "torchtitan":
            table = tomllib.loads(files["torchtitan.toml"])
            degrees, training = table["parallelism"], table["training"]
            of = {name: degrees[f"{name}_degree"] for name in (
                "tensor_parallel", "pipeline_parallel", "context_parallel", "data_parallel_replicate",
                "data_parallel_shard",
            )}  # fmt: skip
            product = 1
            for size in of.values():
                product *= size
            assert product == one.world_size
            staged = of["pipeline_parallel"] > 1
            chunks = degrees["module_fqns_per_model_part"] if staged else [[]]
            named = [name for chunk in chunks for name in chunk if name.startswith("layers.")]
            assert not staged or named == [f"layers.{layer}" for layer in range(one.model.num_layers)]
            micro = degrees["pipeline_parallel_microbatch_size"] if staged else training["local_batch_size"]
            dp = of["data_parallel_replicate"] * of["data_parallel_shard"]
            assert training["global_batch_size"] % (training["local_batch_size"] * dp) == 0
            return {
                "tp": of["tensor_parallel"], "pp": of["pipeline_parallel"], "cp": of["context_parallel"],
                "micro_batch": micro, "batch": training["global_batch_size"], "steps": training["steps"],
                "chunks": len(chunks),
            }  # fmt: skip
        case "deepspeed":
            table = json.loads(files["ds_config.json"])
            micro = table["train_micro_batch_size_per_gpu"]
            assert micro * table["gradient_accumulation_steps"] * one.world_size == table["train_batch_size"]
            return {"tp": 1, "pp": 1, "cp": 1, "micro_batch": micro, "batch": table["train_batch_size"],
                    "steps": one.steps, "chunks": 1}  # fmt: skip
    config = TrainerConfig.model_validate_json(files["trainer.json"])
    assert config.layout == one.layout
    return {
        "tp": config.layout.tp, "pp": config.layout.pp, "cp": config.layout.cp, "batch": config.global_batch,
        "micro_batch": config.layout.micro_batch, "steps": config.steps, "chunks": config.layout.pp * config.layout.vpp,
    }  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(JOBS)
def test_numbers_are_those_of_the_launch(one: TrainingLaunch) -> None:
    try:
        files = {file.path: file.text for file in framework_files(one, catalog.engine_flags)}
    except SpecError:
        return
    layout = one.layout
    wanted = {name: getattr(layout, name) for name in ("tp", "pp", "cp", "micro_batch")}
    assert heard(one, files) == wanted | {
        "batch": one.work.global_batch, "steps": one.steps, "chunks": layout.pp * layout.vpp
    }  # fmt: skip
    script = files["start.sh"]
    assert f'"$NNODES" -ne {one.nodes} ]' in script
    assert f"--nproc-per-node {one.gpus_per_node} " in script
    assert one.nodes * one.gpus_per_node == layout.world_size
