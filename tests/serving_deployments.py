"""Deployments of catalog models as they are run, for tests of what starts them."""

from __future__ import annotations

from typing import Any

from myriad.spec.serving_launch import ServingLaunch

MTP = {"method": "mtp", "draft_tokens": 1, "accepted_tokens": 1.8}
EAGLE = {"method": "eagle", "draft_tokens": 3, "accepted_tokens": 2.6}


def launch(
    model: str,
    layout: dict[str, int],
    work: dict[str, Any],
    *,
    prefill: dict[str, int] | None = None,
    count: int = 1,
    accelerator: str = "h200-sxm",
    **more: Any,
) -> ServingLaunch:
    """A launch whose prefill replicas, if any, differ from the others in layout alone."""
    deployment: dict[str, Any] = {
        "model": model,
        "accelerator": accelerator,
        "replicas": {"layout": layout, "work": work, "count": count},
    }
    if prefill is not None:
        deployment["prefill"] = {"layout": prefill, "work": work, "count": 2}
        more["cluster"] = {"router_image": "registry.example.com/router:1"} | more.get("cluster", {})
    name = model.replace(".", "-")
    return ServingLaunch.model_validate(
        {"name": name, "deployment": deployment, "checkpoint": {"path": f"/models/{model}"}} | more
    )


def launches(engine: str) -> dict[str, ServingLaunch]:
    """Deployments that vLLM and SGLang can both run, by name; `engine` with its release."""

    def work(precision: str, **more: Any) -> dict[str, Any]:
        return {"engine": engine, "precision": precision} | more

    drafting = {"path": "/models/target", "draft": "/models/target-eagle3"}
    small = {"path": "/models/target", "draft": "/models/small"}
    wide = {"server": {"expert_dispatch": "deepep"}}
    return {
        "llama3-8b": launch("llama3-8b", {}, work("bf16")),
        "llama3-8b-fp16": launch("llama3-8b", {}, work("fp16", max_sequences=64)),
        "llama3-8b-int8": launch("llama3-8b", {}, work("int8-weights")),
        "llama3-70b": launch("llama3-70b", {"tp": 4}, work("bf16", max_sequences=256), count=2),
        "llama3-70b-converted": launch(
            "llama3-70b", {"tp": 2}, work("fp8"), checkpoint={"path": "/models/llama", "precision": "bf16"}
        ),
        "llama3-70b-eagle3": launch(
            "llama3-70b", {"tp": 8}, work("fp8", speculation=EAGLE, max_sequences=32), checkpoint=drafting
        ),
        "llama3-70b-pp": launch("llama3-70b", {"tp": 4, "pp": 2}, work("bf16")),
        "llama3.1-405b": launch("llama3.1-405b", {"tp": 8}, work("fp8", kv_precision="fp8")),
        "llama3.1-405b-two-nodes": launch("llama3.1-405b", {"tp": 8, "pp": 2}, work("bf16")),
        "llama3.1-405b-tp16": launch("llama3.1-405b", {"tp": 16}, work("bf16")),
        "qwen3-32b": launch("qwen3-32b", {"tp": 2}, work("bf16", max_batched_tokens=8192), count=16),
        "qwen3-32b-fp8": launch("qwen3-32b", {}, work("fp8-block", kv_precision="fp8", memory_fraction=0.85)),
        "qwen3-32b-awq": launch("qwen3-32b", {}, work("int4-weights"), server={"max_context_tokens": 32768}),
        "qwen3-32b-draft": launch(
            "qwen3-32b", {"tp": 4}, work("bf16", speculation=EAGLE | {"method": "draft-model"}), checkpoint=small
        ),
        "qwen3-32b-copies": launch("qwen3-32b", {"tp": 2, "dp": 4}, work("bf16", max_sequences=128)),
        "qwen3-32b-split": launch("qwen3-32b", {"tp": 4}, work("fp8"), prefill={"tp": 2}),
        "qwen3-32b-plain": launch(
            "qwen3-32b",
            {"tp": 2},
            work("bf16"),
            server={"prefix_caching": False, "chunked_prefill": False, "cuda_graphs": False, "port": 9000},
        ),
        "qwen3-235b": launch("qwen3-235b-a22b", {"tp": 8}, work("bf16", max_sequences=128)),
        "qwen3-235b-ep": launch("qwen3-235b-a22b", {"tp": 4, "ep": 4}, work("fp8-block")),
        "qwen3-235b-nvfp4": launch(
            "qwen3-235b-a22b", {"tp": 2, "dp": 2, "ep": 4}, work("nvfp4", kv_precision="fp8"), accelerator="b200-sxm"
        ),
        "qwen3-coder": launch("qwen3-coder-480b-a35b-instruct", {"tp": 8, "ep": 8}, work("fp8-block")),
        "gpt-oss-20b": launch("gpt-oss-20b", {}, work("mxfp4", attention_precision="bf16"), accelerator="h100-sxm"),
        "gpt-oss-120b": launch("gpt-oss-120b", {"tp": 4}, work("mxfp4", max_sequences=512, memory_fraction=0.95)),
        "gpt-oss-120b-dp": launch("gpt-oss-120b", {"tp": 2, "dp": 4}, work("mxfp4", kv_precision="fp8"), count=3),
        "deepseek-v3": launch("deepseek-v3", {"tp": 8}, work("fp8-block", speculation=MTP, max_sequences=64)),
        "deepseek-v3-dp": launch("deepseek-v3", {"dp": 8, "ep": 8}, work("fp8-block", max_batched_tokens=4096)),
        "deepseek-v3-mixed": launch("deepseek-v3", {"tp": 2, "dp": 4, "ep": 8}, work("fp8-block", max_sequences=96)),
        "deepseek-v3-wide": launch("deepseek-v3", {"dp": 32, "ep": 32}, work("fp8-block", max_sequences=128), **wide),
        "deepseek-v3-split": launch(
            "deepseek-v3", {"dp": 16, "ep": 16}, work("fp8-block", speculation=MTP), prefill={"tp": 8, "ep": 8}, **wide
        ),
        "deepseek-v3-nvfp4": launch(
            "deepseek-v3", {"tp": 4, "ep": 4}, work("nvfp4", kv_precision="fp8"), accelerator="gb200",
            cluster={"gpus_per_node": 4, "node_selector": {"kind": "gb200"}},
        ),
        "deepseek-v3.2": launch("deepseek-v3.2", {"tp": 8, "ep": 8}, work("fp8-block")),
        "mimo-v2-flash": launch(
            "mimo-v2-flash", {"tp": 4, "dp": 2, "ep": 8}, work("fp8-block", speculation=MTP | {"draft_tokens": 3}),
            checkpoint={"path": "XiaomiMiMo/MiMo-V2-Flash", "trust_remote_code": True},
        ),
        "mimo-v2-flash-split": launch(
            "mimo-v2-flash", {"dp": 8, "ep": 8}, work("fp8-block", kv_precision="fp8"), prefill={"tp": 4}
        ),
        "mimo-v2-pro": launch("mimo-v2-pro", {"dp": 16, "ep": 16}, work("fp8-block"), accelerator="h20"),
        "kimi-k2": launch("kimi-k2-instruct", {"tp": 16, "ep": 16}, work("fp8-block")),
        "kimi-k2.5-int4": launch("kimi-k2.5", {"tp": 8}, work("int4-weights"), accelerator="b200-sxm"),
        "glm-5": launch("glm-5", {"tp": 8}, work("fp8-block", speculation=MTP)),
        "minimax-m2.5": launch("minimax-m2.5", {"tp": 4, "ep": 4}, work("fp8-block")),
        "llama-4-scout": launch("llama-4-scout-17b-16e-instruct", {"tp": 8}, work("fp8")),
        "gemma-4": launch("gemma-4-26b-a4b", {"tp": 2}, work("bf16")),
    }  # fmt: skip


def trtllm_launches(release: str) -> dict[str, ServingLaunch]:
    """Those of them that TensorRT-LLM can run: on one node, attention whole where it is copied, nothing converted."""
    left_out = {"llama3-70b-converted", "llama3-70b-eagle3", "qwen3-32b-draft"}
    return {
        name: one
        for name, one in launches(f"tensorrt-llm@{release}").items()
        if name not in left_out
        and one.server.expert_dispatch == "engine"
        and all(
            part.layout.gpus <= one.cluster.gpus_per_node and (part.layout.dp == 1 or part.layout.tp == 1)
            for part in (one.deployment.replicas, one.deployment.prefill or one.deployment.replicas)
        )
    }
