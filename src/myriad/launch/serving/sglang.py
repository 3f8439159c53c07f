"""SGLang: the arguments of `sglang.launch_server`, and of the router between its prefill and decode servers.

With data-parallel attention its tensor parallelism counts all ranks of a stage, and its limits on sequences and tokens
those of all copies of attention: it divides them by the number of copies. Read in `server_args.py` and
`model_runner_kv_cache_mixin.py` of 0.5.11. A model without experts has no such attention: its copies are whole servers
behind one address.
"""

from __future__ import annotations

from typing import Final

from myriad.errors import SpecError
from myriad.launch.arguments import Arguments
from myriad.launch.serving.commands import (
    DTYPES,
    KV_PORT,
    LEADER_ADDRESS,
    NODE_RANK,
    RENDEZVOUS_PORT,
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

ROUTER: Final = "sglang-router"
_CACHES: Final[dict[CachePrecision, str]] = {"bf16": "bfloat16", "fp8": "fp8_e4m3"}


def command(launch: ServingLaunch, role: Role, replicas: Replicas, flags: EngineFlags, experts: bool) -> Command:
    """What starts one replica. Raises SpecError for what this release cannot be asked for."""
    check_experts(replicas, experts, launch.deployment.model)
    layout = replicas.layout
    nodes = nodes_of(replicas, launch.cluster.gpus_per_node)
    if nodes > 1 and layout.dp > 1 and not experts:
        raise SpecError(
            f"layout {layout.text()}: sglang runs copies of a model without experts on one node only; this takes "
            f"{nodes} of them: plan dp=1 and more replicas"
        )
    leader = _arguments(launch, role, replicas, flags, experts)
    if nodes == 1:
        return Command(role, replicas, nodes, leader.words())
    follower = _arguments(launch, role, replicas, flags, experts)
    for arguments, rank in ((leader, "0"), (follower, NODE_RANK)):
        arguments.add("--nnodes", nodes)
        arguments.add("--node-rank", rank)
        arguments.add("--dist-init-addr", f"{LEADER_ADDRESS}:{RENDEZVOUS_PORT}")
    return Command(role, replicas, nodes, leader.words(), follower.words())


def _arguments(launch: ServingLaunch, role: Role, replicas: Replicas, flags: EngineFlags, experts: bool) -> Arguments:
    layout, work, server = replicas.layout, replicas.work, launch.server
    shared = experts and layout.dp > 1
    copies = layout.dp if shared else 1
    given = Arguments(flags, ("python3", "-m", "sglang.launch_server"))
    given.add("--model-path", launch.checkpoint.path)
    given.add("--served-model-name", launch.name)
    given.add("--host", "0.0.0.0")
    given.add("--port", server.port)
    given.add("--tensor-parallel-size", layout.tp * copies)
    given.add("--pipeline-parallel-size", layout.pp)
    given.add("--data-parallel-size", layout.dp)
    if shared:
        given.add("--enable-dp-attention")
        if layout.tp == 1:
            # Dense parts are whole on every rank, as planned; without these they would be cut over all ranks.
            given.add("--moe-dense-tp-size", 1)
            given.add("--enable-dp-lm-head")
    if experts:
        given.add("--expert-parallel-size", layout.ep)
        if server.expert_dispatch == "deepep" and layout.ep > 1:
            if layout.moe_tp > 1:
                raise SpecError(
                    f"layout.ep: found {layout.ep}; with DeepEP sglang spreads experts over all "
                    f"{layout.tp * layout.dp} ranks of a stage"
                )
            given.add("--moe-a2a-backend", "deepep")
    if converted(launch, replicas, flags.name):
        given.add("--quantization", "fp8")
    elif work.precision in DTYPES:
        given.add("--dtype", DTYPES[work.precision])
    if work.kv_precision not in _CACHES:
        raise SpecError(f"work.kv_precision: {flags.name} has no cache in {work.kv_precision}; allowed: bf16, fp8")
    given.add("--kv-cache-dtype", _CACHES[work.kv_precision])
    given.add("--mem-fraction-static", float(work.memory_fraction))
    if work.max_sequences is not None:
        given.add("--max-running-requests", work.max_sequences * copies)
    if not server.chunked_prefill:
        given.add("--chunked-prefill-size", -1)
    elif work.max_batched_tokens is not None:
        given.add("--chunked-prefill-size", work.max_batched_tokens * copies)
    if server.max_context_tokens is not None:
        given.add("--context-length", server.max_context_tokens)
    if not server.prefix_caching:
        given.add("--disable-radix-cache")
    if not server.cuda_graphs:
        given.add("--disable-cuda-graph")
    _add_speculation(given, launch, replicas, shared)
    if launch.checkpoint.trust_remote_code:
        given.add("--trust-remote-code")
    if role != "serve":
        given.add("--disaggregation-mode", role)
        given.add("--disaggregation-transfer-backend", "nixl")
        if role == "prefill":
            given.add("--disaggregation-bootstrap-port", KV_PORT)
    return given


def _add_speculation(given: Arguments, launch: ServingLaunch, replicas: Replicas, shared: bool) -> None:
    speculation = replicas.work.speculation
    if speculation is None:
        return
    draft = None if speculation.method == "mtp" else draft_of(launch.checkpoint, speculation)
    if speculation.method == "draft-model":
        if shared:
            raise SpecError("work.speculation.method: sglang runs a draft model with one copy of attention only")
        given.add("--speculative-algorithm", "STANDALONE")
    else:
        given.add("--speculative-algorithm", "EAGLE3" if draft is not None and is_eagle3(draft) else "EAGLE")
    if draft is not None:
        given.add("--speculative-draft-model-path", draft)
    given.add("--speculative-num-steps", speculation.draft_tokens)
    given.add("--speculative-eagle-topk", 1)
    given.add("--speculative-num-draft-tokens", speculation.draft_tokens + 1)


def router(launch: ServingLaunch, flags: EngineFlags, prefill: list[str], decode: list[str]) -> tuple[str, ...]:
    """What takes each request to a prefill and a decode server at once."""
    given = Arguments(flags, ("python3", "-m", "sglang_router.launch_router"))
    given.add("--host", "0.0.0.0")
    given.add("--port", launch.server.port)
    given.add("--pd-disaggregation")
    for url in prefill:
        given.repeat("--prefill", url, str(KV_PORT))
    for url in decode:
        given.repeat("--decode", url)
    return given.words()
