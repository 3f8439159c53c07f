"""vLLM: the arguments of `vllm serve`, and of the router between its prefill and decode servers.

Experts are either cut over all ranks of a stage or spread over all of them; nothing lies between. Limits on sequences
and tokens hold for each copy of attention, as in the plan.
"""

from __future__ import annotations

from typing import Any, Final

from myriad.errors import SpecError
from myriad.launch.arguments import Arguments
from myriad.launch.serving.commands import (
    DTYPES,
    KV_PORT,
    LEADER_ADDRESS,
    NODE_RANK,
    OWN_ADDRESS,
    Command,
    Role,
    check_experts,
    converted,
    draft_of,
    is_eagle3,
    nodes_of,
)
from myriad.spec.engine_flags import EngineFlags
from myriad.spec.serving import CachePrecision, Replicas
from myriad.spec.serving_launch import ServingLaunch

ROUTER: Final = "vllm-router"
_CACHES: Final[dict[CachePrecision, str]] = {"bf16": "bfloat16", "fp8": "fp8"}


def command(launch: ServingLaunch, role: Role, replicas: Replicas, flags: EngineFlags, experts: bool) -> Command:
    """What starts one replica. Raises SpecError for what this release cannot be asked for."""
    check_experts(replicas, experts, launch.deployment.model)
    layout = replicas.layout
    if layout.ep not in (1, layout.tp * layout.dp):
        raise SpecError(
            f"layout.ep: found {layout.ep}; vllm spreads experts over all {layout.tp * layout.dp} ranks of a stage "
            "(tp * dp), or over none (1)"
        )
    nodes = nodes_of(replicas, launch.cluster.gpus_per_node)
    leader = _arguments(launch, role, replicas, flags)
    other: tuple[str, ...] = ()
    if nodes > 1:
        follower = _arguments(launch, role, replicas, flags)
        for arguments, rank in ((leader, "0"), (follower, NODE_RANK)):
            arguments.add("--nnodes", nodes)
            arguments.add("--node-rank", rank)
            arguments.add("--master-addr", LEADER_ADDRESS)
        follower.add("--headless")
        other = follower.words()
    environment = {}
    if role != "serve":
        environment = {"VLLM_NIXL_SIDE_CHANNEL_HOST": OWN_ADDRESS, "VLLM_NIXL_SIDE_CHANNEL_PORT": str(KV_PORT)}
    return Command(role, replicas, nodes, leader.words(), other, environment)


def _arguments(launch: ServingLaunch, role: Role, replicas: Replicas, flags: EngineFlags) -> Arguments:
    layout, work, server = replicas.layout, replicas.work, launch.server
    given = Arguments(flags, ("vllm", "serve", launch.checkpoint.path))
    given.add("--served-model-name", launch.name)
    given.add("--host", "0.0.0.0")
    given.add("--port", server.port)
    given.add("--tensor-parallel-size", layout.tp)
    given.add("--pipeline-parallel-size", layout.pp)
    given.add("--data-parallel-size", layout.dp)
    if layout.ep > 1:
        given.add("--enable-expert-parallel")
        if server.expert_dispatch == "deepep":
            # Large messages for prompts; for decoding, few tokens at once and CUDA graphs.
            given.add("--all2all-backend", "deepep_high_throughput" if role == "prefill" else "deepep_low_latency")
    if converted(launch, replicas, flags.name):
        given.add("--quantization", "fp8")
    elif work.precision in DTYPES:
        given.add("--dtype", DTYPES[work.precision])
    if work.kv_precision not in _CACHES:
        raise SpecError(f"work.kv_precision: {flags.name} has no cache in {work.kv_precision}; allowed: bf16, fp8")
    given.add("--kv-cache-dtype", _CACHES[work.kv_precision])
    given.add("--gpu-memory-utilization", float(work.memory_fraction))
    if work.max_sequences is not None:
        given.add("--max-num-seqs", work.max_sequences)
    if work.max_batched_tokens is not None:
        given.add("--max-num-batched-tokens", work.max_batched_tokens)
    if server.max_context_tokens is not None:
        given.add("--max-model-len", server.max_context_tokens)
    for what, wanted in (("chunked-prefill", server.chunked_prefill), ("prefix-caching", server.prefix_caching)):
        off = f"--no-enable-{what}"  # until releases that say `--disable-`
        given.add(f"--enable-{what}" if wanted else off if flags.named(off) else f"--disable-{what}")
    if not server.cuda_graphs:
        given.add("--enforce-eager")
    if work.speculation is not None:
        given.add("--speculative-config", _speculation(launch, replicas))
    if launch.checkpoint.trust_remote_code:
        given.add("--trust-remote-code")
    if role != "serve":
        given.add("--kv-transfer-config", {"kv_connector": "NixlConnector", "kv_role": "kv_both"})
    return given


def _speculation(launch: ServingLaunch, replicas: Replicas) -> dict[str, Any]:
    speculation = replicas.work.speculation
    assert speculation is not None
    tokens = {"num_speculative_tokens": speculation.draft_tokens}
    if speculation.method == "mtp":
        return {"method": "mtp", **tokens}
    draft = draft_of(launch.checkpoint, speculation)
    if speculation.method == "draft-model":
        return {"method": "draft_model", "model": draft, **tokens}
    return {"method": "eagle3" if is_eagle3(draft) else "eagle", "model": draft, **tokens}


def router(launch: ServingLaunch, flags: EngineFlags, prefill: list[str], decode: list[str]) -> tuple[str, ...]:
    """What takes requests to a prefill server first and to a decode server then."""
    given = Arguments(flags, ("vllm-router",))
    given.add("--host", "0.0.0.0")
    given.add("--port", launch.server.port)
    given.add("--vllm-pd-disaggregation")
    for url in prefill:
        given.repeat("--prefill", url)
    for url in decode:
        given.repeat("--decode", url)
    return given.words()
