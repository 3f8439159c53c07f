"""DeepSpeed's own configuration, without a GPU. Needs deepspeed (on the CPU), and nothing of Myriad.

python deepspeed_keys.py flags              prints the keys that it knows as JSON, two levels deep
python deepspeed_keys.py accept < LINES     reads one JSON object `{"config": ..., "ranks": ...}` a line; prints for
                                            each the batch as DeepSpeed understands it, or why it refuses
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import sys

os.environ["DS_ACCELERATOR"] = "cpu"


def flags():
    from deepspeed.runtime import constants
    from deepspeed.runtime.precision_config import DeepSpeedBF16Config, DeepSpeedFP16Config
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig
    from deepspeed.runtime.zero.offload_config import DeepSpeedZeroOffloadOptimizerConfig

    top = {
        value
        for name, value in vars(constants).items()
        if name.isupper() and isinstance(value, str) and value.replace("_", "").isalpha() and value.islower()
    }
    top |= {"gradient_clipping", "wall_clock_breakdown", "activation_checkpointing"}
    models = {"bf16": DeepSpeedBF16Config, "fp16": DeepSpeedFP16Config, "zero_optimization": DeepSpeedZeroConfig}
    found = {key: {} for key in sorted(top)}
    for name, model in models.items():
        keys = {field.alias or key: {} for key, field in model.model_fields.items()}
        if name == "zero_optimization":
            offload = DeepSpeedZeroOffloadOptimizerConfig.model_fields
            keys["offload_optimizer"] = {"keys": {key: {} for key in sorted(offload)}}
        found[name] = {"keys": dict(sorted(keys.items()))}
    release = importlib.metadata.version("deepspeed")
    return {"engine": "deepspeed", "release": release, "flags": dict(sorted(found.items()))}


class Ranks:
    """What DeepSpeed asks for the number of data-parallel ranks."""

    def __init__(self, ranks):
        self.ranks = ranks

    def get_data_parallel_world_size(self):
        return self.ranks


def understood(config, ranks):
    from deepspeed.runtime import config as configs

    configs.dist.get_rank = lambda *_: 0
    found = configs.DeepSpeedConfig(config, mpu=Ranks(ranks))
    return {
        "train_batch_size": found.train_batch_size,
        "micro_batch": found.train_micro_batch_size_per_gpu,
        "accumulation": found.gradient_accumulation_steps,
        "stage": int(found.zero_optimization_stage),
        "bf16": bool(found.bfloat16_config.enabled),
    }


def main():
    with contextlib.redirect_stdout(sys.stderr):
        import deepspeed  # noqa: F401  # says much on standard output
    if sys.argv[1] == "flags":
        with contextlib.redirect_stdout(sys.stderr):
            found = flags()
        json.dump(found, sys.stdout)
        return
    for line in sys.stdin:
        try:
            with contextlib.redirect_stdout(sys.stderr):
                said = understood(**json.loads(line))
        except Exception as error:  # noqa: BLE001  # whatever it raises is a refusal
            said = f"{type(error).__name__}: {error}"[:500]
        sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
