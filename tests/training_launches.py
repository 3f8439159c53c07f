"""Training jobs of catalog models as they are planned, for tests of what starts them."""

from __future__ import annotations

from typing import Any

from myriad import catalog
from myriad.spec.training_launch import TrainingLaunch


def launch(
    model: str,
    layout: dict[str, Any],
    *,
    global_batch: int,
    seq_len: int = 4096,
    precision: str = "bf16",
    framework: str | None = None,
    gpus_per_node: int = 8,
    stack: str = "megatron-core",
    mtp_depths: int = 0,
    layers: int | None = None,
    steps: int = 1000,
    how: dict[str, Any] | None = None,
    work: dict[str, Any] | None = None,
    **more: Any,
) -> TrainingLaunch:
    """A launch with a promise that nobody checks: 10 s a step."""
    described = catalog.model(model).model_copy(update={"mtp_depths": mtp_depths})
    if layers is not None:
        described = described.with_layers(layers)
    ranks = 1
    for size in ("tp", "cp", "pp", "dp"):
        ranks *= layout.get(size, 1)
    values: dict[str, Any] = {
        "name": model.replace(".", "-"),
        "system": "tests",
        "job": "pretrain",
        "pool": "own",
        "model_id": model,
        "model": described,
        "layout": layout,
        "work": {"seq_len": seq_len, "global_batch": global_batch, "precision": precision, "stack": stack}
        | (work or {}),
        "steps": steps,
        "accelerator": "h100-sxm",
        "node": "dgx-h100",
        "gpus_per_node": gpus_per_node,
        "nodes": ranks // gpus_per_node,
        "checkpoint_interval_s": 1800.0,
        "launch": {"framework": framework} | (how or {}),
        "scheduler": {"kind": "slurm"},
        "promise": {
            "step_s": 10.0,
            "tokens_per_step": float(seq_len * global_batch),
            "model_flops_per_token": 1e12,
            "peak_flops_per_s": 1e15,
            "memory_peak_bytes": 6e10,
            "mfu": 0.4,
        },
    }
    return TrainingLaunch.model_validate(values | more)


FLAGSHIP: dict[str, Any] = {"tp": 1, "sp": False, "pp": 25, "cp": 2, "ep": 16, "dp": 128}
"""What `myriad plan examples/human-car-home.yaml` chooses for flagship-pretrain: 6,400 accelerators."""
FLAGSHIP_DIFFERENCES = ("value-width", "sinks", "prediction-block")


def launches(framework: str) -> dict[str, TrainingLaunch]:
    """Jobs that Megatron-LM and Megatron-Bridge can both run, by name; `framework` with its release."""

    def one(model: str, layout: dict[str, Any], **more: Any) -> TrainingLaunch:
        return launch(model, layout, framework=framework, **more)

    accept: dict[str, Any] = {"how": {"differences": FLAGSHIP_DIFFERENCES}}
    selective, full = ["core_attn"], ["full"]
    return {
        "llama3-8b": one("llama3-8b", {"dp": 64}, global_batch=512, seq_len=8192),
        "llama3-8b-fp16": one("llama3-8b", {"dp": 64, "zero": 0}, global_batch=512, precision="fp16"),
        "llama3-70b": one(
            "llama3-70b", {"tp": 8, "pp": 4, "vpp": 5, "dp": 16, "recompute": selective}, global_batch=512, seq_len=8192
        ),
        "llama3-70b-fp8": one("llama3-70b", {"tp": 4, "pp": 8, "dp": 8}, global_batch=256, precision="fp8"),
        "llama3.1-405b": one(
            "llama3.1-405b", {"tp": 8, "cp": 2, "pp": 16, "dp": 64}, global_batch=2048, seq_len=8192
        ),  # 126 layers on 16 stages
        "llama3.1-405b-split": one(
            "llama3.1-405b", {"tp": 8, "pp": 16, "split": "7,8*14,7", "dp": 8, "recompute": full}, global_batch=512
        ),
        "gpt3-175b": one("gpt3-175b", {"tp": 8, "pp": 8, "vpp": 6, "dp": 16}, global_batch=1536, seq_len=2048),
        "qwen3-4b": one("qwen3-4b", {"dp": 512, "micro_batch": 4}, global_batch=2048),
        "qwen3-4b-fsdp": one("qwen3-4b", {"dp": 64, "zero": 3}, global_batch=256),
        "qwen3-32b-hybrid": one("qwen3-32b", {"tp": 4, "dp": 32, "shard": 8}, global_batch=256),
        "qwen3-30b-a3b": one("qwen3-30b-a3b", {"ep": 8, "dp": 64}, global_batch=512),
        "qwen3-235b-a22b": one(
            "qwen3-235b-a22b", {"tp": 4, "pp": 8, "dp": 32, "ep": 32, "recompute": ["moe_act", "layernorm"]},
            global_batch=1024, precision="mxfp8", accelerator="b200-sxm", node="dgx-b200",
        ),
        "qwen3-30b-a3b-graphs": one(
            "qwen3-30b-a3b", {"ep": 8, "dp": 64}, global_batch=512, work={"switches": ["graph-mixers", "graph-routers"]}
        ),
        "qwen3-30b-a3b-overlapped": one(
            "qwen3-30b-a3b", {"pp": 4, "vpp": 2, "ep": 8, "dp": 16}, global_batch=512,
            work={"switches": ["overlap-experts", "dispatch-once"]},
        ),
        "llama3-70b-one-graph": one(
            "llama3-70b", {"tp": 8, "dp": 32}, global_batch=512, work={"switches": ["graph-step", "overlap-tensor"]}
        ),
        "mixtral-8x22b": one("mixtral-8x22b", {"tp": 4, "pp": 4, "dp": 16, "ep": 8}, global_batch=256),
        "deepseek-v3": one(
            "deepseek-v3",
            {"pp": 16, "dp": 128, "ep": 64, "split": "4,4*14,2", "recompute": ["mla_up_proj", "mlp"]},
            global_batch=15360, precision="fp8-block", mtp_depths=1,
        ),
        "kimi-k2-instruct": one("kimi-k2-instruct", {"tp": 2, "pp": 16, "dp": 32, "ep": 32}, global_batch=2048),
        "gpt-oss-120b": one("gpt-oss-120b", {"ep": 16, "pp": 4, "dp": 32}, global_batch=512),
        "mimo-v2-pro": one(
            "mimo-v2-pro", FLAGSHIP, global_batch=16384, precision="fp8", mtp_depths=1, steps=402_332,
            accelerator="h800-sxm", node="hgx-h800", **accept,
        ),
    }  # fmt: skip


TITAN_DIFFERENCES = ("window", "sinks", "value-width", "prediction-depths", "bias")


def titan_launches(framework: str) -> dict[str, TrainingLaunch]:
    """Jobs that torchtitan can run, by name."""

    def one(model: str, layout: dict[str, Any], **more: Any) -> TrainingLaunch:
        return launch(model, layout | {"zero": 3}, framework=framework, stack="torchtitan", **more)

    return {
        "llama3-8b": one("llama3-8b", {"dp": 64, "shard": 8, "recompute": ["every_other_product"]}, global_batch=512),
        "llama3-70b": one(
            "llama3-70b", {"tp": 8, "pp": 4, "vpp": 2, "dp": 16, "recompute": ["full"]}, global_batch=512, seq_len=8192
        ),
        "llama3-70b-text": one(
            "llama3-70b", {"tp": 8, "dp": 32}, global_batch=512,
            how={"data": "/data/text", "tokenizer": "/data/tokenizer"},
        ),
        "llama3.1-405b": one("llama3.1-405b", {"tp": 8, "pp": 16, "cp": 2, "dp": 8}, global_batch=512, seq_len=8192),
        "qwen3-4b": one("qwen3-4b", {"dp": 64, "micro_batch": 4}, global_batch=512),
        "qwen3-30b-a3b": one("qwen3-30b-a3b", {"dp": 64, "ep": 8}, global_batch=512),
        "deepseek-v3": one(
            "deepseek-v3", {"pp": 16, "dp": 64, "ep": 32, "split": "3,4*14,2"}, global_batch=4096,
        ),
        "mimo-v2-pro": one(
            "mimo-v2-pro", FLAGSHIP, global_batch=16384, mtp_depths=1, steps=402_332, accelerator="h800-sxm",
            node="hgx-h800", how={"differences": TITAN_DIFFERENCES},
        ),
    }  # fmt: skip


def reduced(one: TrainingLaunch, seq_len: int = 64) -> TrainingLaunch:
    """The same job, layout and depth with a model as narrow as can be cut over the same ranks."""
    blocks = {}
    for kind, block in one.model.blocks.items():
        mixer, part = block.mixer, block.feed_forward
        assert mixer is not None
        assert part is not None
        heads = {"heads": 8, "kv_heads": 8, "head_dim": 8, "v_head_dim": None}
        width = {"width": 64} if part.kind == "dense" else {"expert_width": 16}
        blocks[kind] = block.model_copy(
            update={"mixer": mixer.model_copy(update=heads), "feed_forward": part.model_copy(update=width)}
        )
    model = one.model.model_copy(update={"blocks": blocks, "hidden": 64, "vocab": 512})
    return one.model_copy(update={"model": model, "work": one.work.model_copy(update={"seq_len": seq_len})})
