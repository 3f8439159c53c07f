"""TensorRT-LLM: the command and the options file of `trtllm-serve`, and of its front of prefill and decode servers.

Its data-parallel attention keeps attention whole on every rank. Its memory share is one of what the weights leave free,
so it may take (1 - share) of the weights' size more than planned.
"""

from __future__ import annotations

from typing import Any, Final

import yaml

from myriad.errors import SpecError
from myriad.launch.arguments import Arguments, check_keys
from myriad.launch.serving.commands import (
    OPTIONS_FOLDER,
    Command,
    Role,
    check_experts,
    converted,
    nodes_of,
)
from myriad.spec.engine_flags import EngineFlags
from myriad.spec.serving import CachePrecision, Replicas
from myriad.spec.serving_launch import ServingLaunch

ROUTER: Final = "tensorrt-llm"
OPTIONS_FLAG: Final = "--extra_llm_api_options"
_CACHES: Final[dict[CachePrecision, str]] = {"bf16": "auto", "fp8": "fp8"}


def command(launch: ServingLaunch, role: Role, replicas: Replicas, flags: EngineFlags, experts: bool) -> Command:
    """What starts one replica. Raises SpecError for what this release cannot be asked for."""
    check_experts(replicas, experts, launch.deployment.model)
    layout = replicas.layout
    nodes = nodes_of(replicas, launch.cluster.gpus_per_node)
    if nodes > 1:
        raise SpecError(
            f"layout {layout.text()}: {nodes} nodes; trtllm-serve spans nodes under MPI only, which these manifests do "
            f"not start: plan at most {launch.cluster.gpus_per_node} accelerators a replica, or another engine"
        )
    if layout.dp > 1 and layout.tp > 1:
        raise SpecError(f"layout {layout.text()}: tensorrt-llm copies attention whole: with dp > 1 it needs tp=1")
    if launch.server.expert_dispatch == "deepep":
        raise SpecError("server.expert_dispatch: tensorrt-llm chooses its dispatch itself; allowed: engine")
    if converted(launch, replicas, flags.name):
        raise SpecError("checkpoint.precision: tensorrt-llm converts no weights while it loads; give an fp8 checkpoint")
    options = _options(launch, role, replicas, flags)
    check_keys(flags.name, OPTIONS_FLAG, flags.flags[OPTIONS_FLAG].keys, options)
    file = f"{role}-options.yaml"
    given = Arguments(flags, ("trtllm-serve", launch.checkpoint.path))
    given.add("--host", "0.0.0.0")
    given.add("--port", launch.server.port)
    if launch.checkpoint.trust_remote_code:
        given.add("--trust_remote_code")
    words = (*given.words(), OPTIONS_FLAG, f"{OPTIONS_FOLDER}/{file}")
    return Command(role, replicas, nodes, words, options=(file, yaml.safe_dump(options, sort_keys=False)))


def _options(launch: ServingLaunch, role: Role, replicas: Replicas, flags: EngineFlags) -> dict[str, Any]:
    layout, work, server = replicas.layout, replicas.work, launch.server
    if work.kv_precision not in _CACHES:
        raise SpecError(f"work.kv_precision: {flags.name} has no cache in {work.kv_precision}; allowed: bf16, fp8")
    options: dict[str, Any] = {
        "backend": "pytorch",
        "tensor_parallel_size": layout.tp * layout.dp,
        "pipeline_parallel_size": layout.pp,
        "enable_attention_dp": layout.dp > 1,
        "enable_chunked_prefill": server.chunked_prefill,
        "kv_cache_config": {
            "free_gpu_memory_fraction": work.memory_fraction,
            "dtype": _CACHES[work.kv_precision],
            "enable_block_reuse": server.prefix_caching,
        },
        "cuda_graph_config": {"enable_padding": True} if server.cuda_graphs else None,
    }
    if layout.ep > 1:
        options |= {"moe_expert_parallel_size": layout.ep, "moe_tensor_parallel_size": layout.moe_tp}
    limits = {
        "max_batch_size": work.max_sequences,
        "max_num_tokens": work.max_batched_tokens,
        "max_seq_len": server.max_context_tokens,
    }
    limits = {key: limit for key, limit in limits.items() if limit is not None}
    if limits:
        nested = "build_config" in flags.flags[OPTIONS_FLAG].keys  # where releases before 1.2 keep them
        options |= {"build_config": limits} if nested else limits
    if work.speculation is not None:
        if work.speculation.method != "mtp":
            raise SpecError(
                f"work.speculation.method: found {work.speculation.method!r}; of {flags.name} only the "
                "options of 'mtp' are known"
            )
        options["speculative_config"] = {
            "decoding_type": "MTP",
            "num_nextn_predict_layers": work.speculation.draft_tokens,
        }
    if role != "serve":
        options["cache_transceiver_config"] = {"backend": "DEFAULT"}
        options["disable_overlap_scheduler"] = role == "prefill"
    return options


def router_options(launch: ServingLaunch, prefill: list[str], decode: list[str]) -> tuple[str, str]:
    """Name and text of the file that tells the front which servers there are."""
    document = {
        "hostname": "0.0.0.0",
        "port": launch.server.port,
        "backend": "pytorch",
        "context_servers": {"num_instances": len(prefill), "urls": prefill},
        "generation_servers": {"num_instances": len(decode), "urls": decode},
    }
    return "router-options.yaml", yaml.safe_dump(document, sort_keys=False)


def router() -> tuple[str, ...]:
    """What takes requests to a prefill server first and to a decode server then."""
    return ("trtllm-serve", "disaggregated", "-c", f"{OPTIONS_FOLDER}/router-options.yaml")
