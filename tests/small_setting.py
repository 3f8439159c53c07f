"""A machine simple enough for sums by hand: 1e15 FLOP/s, 1e12 B/s, no launches, nothing overlapped."""

from __future__ import annotations

import numpy as np

from myriad.estimate.device import Device
from myriad.estimate.layers import cells_of
from myriad.estimate.operations import Cells, Shop
from myriad.estimate.setting import Setting
from myriad.spec.accelerator import Accelerator
from myriad.spec.calibration import AttentionEfficiency, GemmEfficiency, Stack
from myriad.spec.cluster import Cluster, Link
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout, LayoutTable
from myriad.spec.model import (
    Block,
    DenseFeedForward,
    GroupedQueryAttention,
    MixtureOfExperts,
    Model,
    MultiLatentAttention,
)

FULL = GemmEfficiency(peak_fraction=1.0, half_k=0.0, wave_loss=0.0)
DEVICE = Device(
    name="ideal", gemm_flops_per_s=1e15, attention_flops_per_s=1e15, gemm=FULL, grouped_gemm=FULL,
    attention=AttentionEfficiency(forward_fraction=1.0, backward_fraction=1.0, half_tokens=0.0),
    num_sms=1, memory_bytes=80e9, memory_bytes_per_s=1e12, operand_bytes=2.0, cast_bytes=0.0,
    launch_s=0.0, scan_share=0.25,
    sustained_fraction=1.0, calibrated=True,
)  # fmt: skip
STACK = Stack(
    name="bare", tp_overlap=0, cp_overlap=0, ep_overlap=0, pp_overlap=0, dp_overlap=0, fsdp_overlap=0,
    stream_passes=2, host_s_per_kernel=0, step_overhead_s=0, reserved_bytes=0, fragmentation_fraction=0,
)  # fmt: skip
NEAR, FAR = 400e9, 50e9
LINKS = (
    Link(tier="scale-up", domain=8, bytes_per_s_one_way=NEAR, latency_s=0),
    Link(tier="scale-out", domain=4096, bytes_per_s_one_way=FAR, latency_s=0),
)
CHIP = Accelerator(name="ideal", vendor="none", accelerator_class="datacentre", host_link_bytes_per_s_one_way=64e9)
CLUSTER = Cluster(name="ideal", accelerator=CHIP, accelerator_id="ideal", num_accelerators=4096, links=LINKS)
WORK = TrainingWork(seq_len=4096, global_batch=64)

GQA = GroupedQueryAttention(heads=16, kv_heads=4, head_dim=64)
MLA = MultiLatentAttention(
    heads=16, q_lora_rank=256, kv_lora_rank=128, qk_nope_head_dim=64, qk_rope_head_dim=32, v_head_dim=64
)
MOE = MixtureOfExperts(experts=32, top_k=4, expert_width=512, shared_width=512)
DENSE_BLOCK = Block(mixer=GQA, feed_forward=DenseFeedForward(width=4096))
MOE_BLOCK = Block(mixer=MLA, feed_forward=MOE)


def dense_model(layers: int = 8, **more: object) -> Model:
    return Model(
        name="dense", hidden=1024, vocab=32000, blocks={"dense": DENSE_BLOCK}, layers=(("dense", layers),), **more
    )


def moe_model(dense: int = 1, moe: int = 7, **more: object) -> Model:
    runs = tuple(run for run in (("dense", dense), ("moe", moe)) if run[1])
    blocks = {"dense": DENSE_BLOCK, "moe": MOE_BLOCK}
    return Model(name="moe", hidden=1024, vocab=32000, blocks=blocks, layers=runs, **more)


def setting(model: Model | None = None, **changes: object) -> Setting:
    values = {"model": model or dense_model(), "cluster": CLUSTER, "work": WORK, "device": DEVICE, "stack": STACK}
    return Setting(**(values | changes))


def stack(**changes: object) -> Stack:
    return STACK.model_copy(update=changes)


def columns(*layouts: Layout) -> LayoutTable:
    return LayoutTable.from_layouts(layouts)


def cells(seq_len: int = 4096, **layout: object) -> Cells:
    return cells_of(columns(Layout(**layout)), WORK.model_copy(update={"seq_len": seq_len}))


def shop(**changes: object) -> Shop:
    return Shop(DEVICE, stack(**changes), WORK)


def one(array: object) -> float:
    """The value of an array of one."""
    return float(np.asarray(array).item())
