"""Hypothesis strategies for models, clusters, software and layouts that go together.

Sizes are powers of two where parallelism divides them, so that every layout drawn divides; a test needs
no filter. Hypothesis is a library of the workshop: nothing in the package imports this module.
"""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from myriad.estimate.device import Device
from myriad.estimate.setting import Setting
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import AttentionEfficiency, GemmEfficiency, Stack
from myriad.spec.cluster import Cluster, Link
from myriad.spec.job import Optimizer, TrainingWork
from myriad.spec.layout import PIPELINE_SCHEDULES, RECOMPUTE_MODULES, Layout
from myriad.spec.model import (
    Block,
    DenseFeedForward,
    GroupedQueryAttention,
    Mixer,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)

GLOBAL_BATCH: Final = 64
"""Sequences per step of all works drawn: every replica count and micro-batch drawn divides it."""

fractions = st.floats(0.0, 1.0)
shares = st.floats(0.05, 1.0)


@st.composite
def mixers(draw: st.DrawFn) -> Mixer:
    """Full, sliding-window or latent attention with 8 or 16 heads."""
    heads = draw(st.sampled_from([8, 16]))
    if draw(st.booleans()):
        window = draw(st.sampled_from([None, None, 128]))
        kv_heads = draw(st.sampled_from([1, 2, 8]))
        return GroupedQueryAttention(heads=heads, kv_heads=kv_heads, head_dim=64, window_tokens=window)
    return MultiLatentAttention(
        heads=heads, q_lora_rank=draw(st.sampled_from([None, 256])), kv_lora_rank=128, qk_nope_head_dim=64,
        qk_rope_head_dim=32, v_head_dim=64,
    )  # fmt: skip


@st.composite
def models(draw: st.DrawFn, experts: bool | None = None) -> Model:
    """A small model, dense or with experts (either if `experts` is not given), maybe with prediction depths."""
    hidden = draw(st.sampled_from([512, 1024]))
    mixer = draw(mixers())
    blocks = {"dense": Block(mixer=mixer, feed_forward=DenseFeedForward(width=4 * hidden, gated=draw(st.booleans())))}
    layers = draw(st.integers(1, 12))
    runs: tuple[tuple[str, int], ...] = (("dense", layers),)
    if draw(st.booleans()) if experts is None else experts:
        moe = MixtureOfExperts(
            experts=draw(st.sampled_from([8, 16])), top_k=draw(st.integers(1, 4)), expert_width=hidden,
            shared_width=draw(st.sampled_from([0, hidden])),
        )  # fmt: skip
        blocks["moe"] = Block(mixer=mixer, feed_forward=moe)
        runs = (("dense", 1), ("moe", layers)) if draw(st.booleans()) else (("moe", layers),)
    depths = draw(st.sampled_from([0, 0, 1, 2]))
    return Model(
        name="drawn", hidden=hidden, vocab=draw(st.sampled_from([1024, 32768])), blocks=blocks, layers=runs,
        tied_embeddings=draw(st.booleans()), mtp_depths=depths, mtp_block=runs[-1][0] if depths else None,
    )  # fmt: skip


@st.composite
def devices(draw: st.DrawFn) -> Device:
    """A chip with matrix and attention rate alike, efficiencies between 5 and 100 per cent."""

    def gemm() -> GemmEfficiency:
        half_k, wave_loss = draw(st.floats(0, 2000)), draw(st.floats(0, 2))
        return GemmEfficiency(peak_fraction=draw(shares), half_k=half_k, wave_loss=wave_loss)

    return Device(
        name="drawn", gemm_flops_per_s=1e15, attention_flops_per_s=1e15, gemm=gemm(), grouped_gemm=gemm(),
        attention=AttentionEfficiency(
            forward_fraction=draw(shares), backward_fraction=draw(shares), half_tokens=draw(st.floats(0, 2000))
        ),
        num_sms=draw(st.integers(1, 200)), memory_bytes=80e9, memory_bytes_per_s=3e12,
        operand_bytes=draw(st.sampled_from([0.5625, 1.0, 2.0])), cast_bytes=draw(st.sampled_from([0.0, 4.0])),
        launch_s=draw(st.floats(0, 1e-5)),
        scan_share=draw(st.floats(0.05, 0.5)),
        sustained_fraction=draw(shares), calibrated=True,
    )  # fmt: skip


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """4,096 accelerators on two or three tiers of links, each slower than the nearer one."""
    half_bytes, start_s = draw(st.floats(0, 1e8)), draw(st.floats(0, 1e-5))
    tiers = [("scale-up", draw(st.sampled_from([4, 8, 64])), 450e9), ("scale-out", 1024, 50e9)]
    tiers += [("scale-across", 4096, 1e9)] if draw(st.booleans()) else []
    return Cluster(
        name="drawn",
        accelerator=Accelerator(
            name="drawn", vendor="drawn", accelerator_class="datacentre", host_link_bytes_per_s_one_way=50e9
        ),
        accelerator_id="drawn",
        num_accelerators=4096,
        links=tuple(
            Link(
                tier=tier,
                domain=domain,
                bytes_per_s_one_way=rate,
                latency_s=1e-6,
                half_bytes=half_bytes,
                start_s=start_s,
            )
            for tier, domain, rate in tiers
        ),
    )


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    """Any software: every overlap, fused or not, with or without contention."""
    return Stack(
        name="drawn", tp_overlap=draw(fractions), cp_overlap=draw(fractions), ep_overlap=draw(fractions),
        pp_overlap=draw(fractions), dp_overlap=draw(fractions), fsdp_overlap=draw(fractions),
        fused_attention=draw(st.booleans()), contention=draw(st.floats(0, 0.5)), stream_passes=draw(st.floats(0.5, 3)),
        host_s_per_kernel=draw(st.floats(0, 2e-5)), host_runs_ahead=draw(st.booleans()),
        step_overhead_s=draw(st.floats(0, 0.1)),
        dispatch_once_per_domain=draw(st.booleans()), grouped_kernels=draw(st.booleans()),
        reserved_bytes=draw(st.floats(0, 4e9)), fragmentation_fraction=draw(st.floats(0, 0.2)),
        stage_outputs=draw(st.sampled_from(["freed", "in-flight", "whole-step"])),
        gathers_from_master=draw(st.booleans()), counts_layers=draw(st.booleans()),
        sharded_logit_bytes=draw(st.sampled_from([None, 16.0])),
    )  # fmt: skip


@st.composite
def works(draw: st.DrawFn) -> TrainingWork:
    """Steps of `GLOBAL_BATCH` sequences."""
    return TrainingWork(
        seq_len=draw(st.sampled_from([1024, 4096])), global_batch=GLOBAL_BATCH,
        expert_imbalance=draw(st.floats(1.0, 2.0)),
        optimizer=Optimizer(step_bytes=draw(st.sampled_from([0.0, 6.0])), flat_step_copies=draw(st.booleans())),
    )  # fmt: skip


@st.composite
def settings(draw: st.DrawFn, experts: bool | None = None) -> Setting:
    """Everything of an estimate but the layout."""
    return Setting(draw(models(experts)), draw(clusters()), draw(works()), draw(devices()), draw(stacks()))


@st.composite
def layouts(draw: st.DrawFn, model: Model) -> Layout:
    """A layout that divides for this model, the works and the clusters of this module."""
    tp, cp, dp = draw(st.sampled_from([1, 2, 8])), draw(st.sampled_from([1, 2, 4])), draw(st.sampled_from([1, 2, 8]))
    places = model.num_layers + 2
    pp = draw(st.integers(1, min(8, places)))
    experts = [b.feed_forward.experts for b in model.blocks.values() if isinstance(b.feed_forward, MixtureOfExperts)]
    etp = draw(st.sampled_from([1, tp])) if experts else 1
    ep = draw(st.sampled_from([e for e in (1, 2, 4, 8) if tp * cp * dp % (e * etp) == 0])) if experts else 1
    vpp = draw(st.integers(1, min(4, places // pp))) if pp > 1 else 1
    micro_batch = draw(st.sampled_from([1, 2, 4]))
    both_ends = vpp == 1 and pp % 2 == 0 and GLOBAL_BATCH // (dp * micro_batch) >= 2 * pp
    possible = {"zb-v": vpp == 2, "dualpipe": both_ends}
    schedules = [s for s in PIPELINE_SCHEDULES if possible.get(s, True)]
    return Layout(
        tp=tp, sp=tp > 1, cp=cp, pp=pp, vpp=vpp, dp=dp, ep=ep, etp=etp,
        zero=draw(st.sampled_from([0, 1, 2, 3])),
        shard=draw(st.sampled_from([s for s in (0, 0, 1, 2, 4) if s == 0 or dp * cp % s == 0])),
        micro_batch=micro_batch,
        recompute=tuple(draw(st.sets(st.sampled_from(RECOMPUTE_MODULES), max_size=3))),
        offload_optimizer=draw(st.booleans()),
        schedule=draw(st.sampled_from(schedules)),
        order=draw(st.sampled_from(["tp-cp-ep-dp-pp", "tp-cp-ep-pp-dp"])),
    )  # fmt: skip


@st.composite
def laid_out(draw: st.DrawFn, experts: bool | None = None) -> tuple[Setting, Layout]:
    """A setting and a layout that divides in it."""
    setting = draw(settings(experts))
    return setting, draw(layouts(setting.model))
