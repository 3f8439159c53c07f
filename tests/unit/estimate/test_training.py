"""Whole steps: stages, micro-batches, schedules, and what the single form opens up."""

from __future__ import annotations

import numpy as np
import pytest

import myriad
from myriad import catalog
from myriad.errors import InfeasibleError
from myriad.estimate.flops import megatron_causal
from myriad.estimate.parameters import model_parameters
from myriad.estimate.setting import model_flops_per_token
from myriad.estimate.table import estimate_table, state_bytes_bound
from myriad.estimate.training import estimate_layout, layout_operations
from myriad.spec.job import Optimizer, TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.model import Block, DenseFeedForward, GroupedQueryAttention, Model, MultiLatentAttention
from small_setting import WORK, columns, dense_model, moe_model, setting, stack

COMPUTE = {"gemm", "expert_gemm", "attention", "recurrent", "memory_bound", "embedding_loss", "recompute"}


def flops(model, seq_len=4096):
    return model_flops_per_token(setting(model, work=TrainingWork(seq_len=seq_len, global_batch=8)))


def plain(name: str) -> bool:
    """Models of which every weight but the norms is in a product, and whose attention sees all or none.

    `megatron_causal` counts biases, latent and query norms and sinks as if they were matrices (under 0.1 %),
    a window as if its first rows were full, and linear mixers by rules of thumb.
    """
    blocks = catalog.model(name).blocks.values()
    return all(
        isinstance(b.mixer, GroupedQueryAttention)
        and not (b.mixer.qkv_bias or b.mixer.output_bias or b.mixer.qk_norm or b.mixer.sinks or b.mixer.window_tokens)
        and not getattr(b.feed_forward, "bias", False)
        and not getattr(b.feed_forward, "router_bias", False)
        for b in blocks
    )


@pytest.mark.parametrize("name", [n for n in catalog.names("models") if plain(n)])
def test_model_flops_are_those_of_megatron(name):
    model = catalog.model(name)
    if not model.mtp_depths:
        assert flops(model) == pytest.approx(megatron_causal(model, 4096), rel=1e-9)


def test_enough_catalog_models_are_plain():
    assert len([n for n in catalog.names("models") if plain(n)]) >= 8


@pytest.mark.parametrize(
    ("name", "within"),
    # Latent norms; the norms of a prediction depth as well; balancing biases; first rows of windows.
    [("deepseek-v3", 1e-5), ("kimi-k2-instruct", 1e-5), ("qwen3-235b-a22b", 1e-5), ("mimo-v2-pro", 2e-4),
     ("gpt-oss-120b", 5e-4)],
)  # fmt: skip
def test_model_flops_of_experts_and_latent_attention_are_those_of_megatron(name, within):
    model = catalog.model(name)
    assert flops(model) == pytest.approx(megatron_causal(model, 4096), rel=within)


@pytest.mark.parametrize(("name", "within"), [("llama3-70b", 0.01), ("llama3.1-405b", 0.01), ("qwen3-32b", 0.02)])
def test_short_sequences_cost_six_flops_per_parameter(name, within):
    model = catalog.model(name)
    counts = model_parameters(model)
    assert flops(model, 256) == pytest.approx(6 * (counts.active - counts.embedding), rel=within)


def test_latent_attention_by_hand():
    mixer = MultiLatentAttention(
        heads=4, q_lora_rank=64, kv_lora_rank=32, qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=16
    )
    model = Model(
        name="m", hidden=128, vocab=1000, layers=(("a", 3),),
        blocks={"a": Block(mixer=mixer, feed_forward=DenseFeedForward(width=256))},
    )  # fmt: skip
    weights = 128 * 64 + 64 * 4 * 24 + 128 * 40 + 32 * 4 * 32 + 4 * 16 * 128 + 3 * 128 * 256
    assert flops(model, 512) == pytest.approx(6 * (3 * weights + 128 * 1000) + 3 * 3 * 512 * 4 * (24 + 16), rel=1e-9)


@pytest.mark.parametrize(("tflops", "mfu"), [(430e12, 0.43), (400e12, 0.41), (380e12, 0.38)])
def test_published_mfu_and_throughput_are_one_statement(tflops, mfu):
    """Llama 3.1 405B on 8,192 to 16,384 H100, as printed (arXiv 2407.21783, table 4)."""
    found = myriad.estimate_training(
        "llama3.1-405b", "h100:16384", Layout(tp=8, pp=16, vpp=8, dp=128), TrainingWork(seq_len=8192, global_batch=2048)
    )
    assert tflops / found.peak_flops_per_s == pytest.approx(mfu, abs=0.006)
    assert found.mfu * found.peak_flops_per_s == pytest.approx(found.tokens_per_s_per_gpu * found.model_flops_per_token)


def test_micro_batches_follow_one_another():
    one, four = (
        estimate_layout(setting(work=TrainingWork(seq_len=4096, global_batch=n)), Layout()).step_s for n in (1, 4)
    )
    optimizer = estimate_layout(setting(), Layout()).time_parts_s["optimizer"]
    assert four - optimizer == pytest.approx(4 * (one - optimizer))


def test_bubble_of_equal_stages():
    """With a vocabulary of nothing the stages are equal, and the bubble is (p - 1) / m of the rest."""
    model = dense_model().model_copy(update={"vocab": 1})
    for vpp in (1, 2):
        found = estimate_layout(setting(model), Layout(pp=4, vpp=vpp))
        inner = sum(v for k, v in found.time_parts_s.items() if k in COMPUTE)
        assert found.time_parts_s["bubble"] == pytest.approx(inner * 3 / 64 / vpp, rel=0.03)


def test_schedules_shrink_the_bubble_in_their_order():
    bubbles = [
        estimate_layout(setting(), Layout(pp=8, schedule=s)).time_parts_s["bubble"]
        for s in ("1f1b", "zero-bubble", "dualpipe")
    ]
    assert bubbles[0] > bubbles[1] > bubbles[2] > 0


def test_pipeline_transfers_go_both_ways_once_per_chunk():
    """64 micro-batches and the ramp, each 8 MiB of activations to the next stage over NVLink."""
    one_s = 2 * 4096 * 1024 / 400e9
    for vpp in (1, 2):
        found = estimate_layout(setting(), Layout(pp=4, vpp=vpp)).time_parts_s["pp_comm"]
        assert found == pytest.approx(one_s * (2 * vpp * 64 + 2 * 3))
    hidden = estimate_layout(setting(stack=stack(pp_overlap=1.0)), Layout(pp=4)).time_parts_s["pp_comm"]
    assert hidden == pytest.approx(one_s * 6)


def test_each_stage_holds_the_parameters_of_its_layers():
    found = estimate_layout(setting(dense_model(8)), Layout(pp=4))
    counts = model_parameters(dense_model(8))
    weights = [stage.parts_bytes["weights"] / 2 for stage in found.memory]
    layer = counts.blocks["dense"].total
    ends = counts.embedding
    assert weights == pytest.approx([2 * layer + ends, 2 * layer, 2 * layer, 2 * layer + ends])


def test_tied_embeddings_are_one_table_on_one_stage_and_two_on_several():
    tied, apart = (dense_model(tied_embeddings=t) for t in (True, False))
    table = 2 * 32000 * 1024
    one = [estimate_layout(setting(m), Layout()).memory[0].parts_bytes["weights"] for m in (tied, apart)]
    assert one[1] - one[0] == table
    ends = [estimate_layout(setting(m), Layout(pp=2)).memory[-1].parts_bytes["weights"] for m in (tied, apart)]
    assert ends[0] == ends[1]


def test_uneven_layers_leave_room_for_embedding_and_head():
    """Ten layers on four stages: 2, 3, 3, 2."""
    model = dense_model(10).model_copy(update={"vocab": 8000})
    counts = model_parameters(model)
    found = estimate_layout(setting(model), Layout(pp=4))
    weights = [stage.parts_bytes["weights"] / 2 for stage in found.memory]
    layer = counts.blocks["dense"].total
    ends = (counts.embedding, 0, 0, counts.embedding)
    assert [round((w - e) / layer) for w, e in zip(weights, ends, strict=True)] == [2, 3, 3, 2]


def test_dense_first_layers_are_on_the_first_stage():
    found = estimate_layout(setting(moe_model(2, 6)), Layout(pp=4))
    weights = [stage.parts_bytes["weights"] for stage in found.memory]
    assert weights[0] < weights[1] == pytest.approx(weights[2])


def test_prediction_depths_are_on_the_last_stage():
    plain_model, deep = (moe_model(0, 8, mtp_depths=d, mtp_block="moe" if d else None) for d in (0, 1))
    before, after = (estimate_layout(setting(m), Layout(pp=4)).memory for m in (plain_model, deep))
    more = [a.parts_bytes["weights"] - b.parts_bytes["weights"] for a, b in zip(after, before, strict=True)]
    assert more[:3] == pytest.approx([0, 0, 0])
    counts = model_parameters(deep)  # the stage embeds the next token too, with a table of its own
    assert more[3] == pytest.approx(2 * (counts.mtp + counts.embedding))


def test_first_stage_of_1f1b_holds_the_most_activations():
    found = estimate_layout(setting(), Layout(pp=4))
    activations = [stage.parts_bytes["activations"] for stage in found.memory]
    assert activations == pytest.approx([activations[-1] * n for n in (4, 3, 2, 1)])


def test_reserved_memory_and_fragmentation_are_lines_of_their_own():
    software = stack(reserved_bytes=2e9, fragmentation_fraction=0.05)
    (found,) = estimate_layout(setting(stack=software), Layout()).memory
    parts = found.parts_bytes
    assert parts["reserved"] == 2e9
    come_and_go = sum(parts[part] for part in ("activations", "logits", "buffers"))
    assert parts["fragmentation"] == pytest.approx(0.05 * come_and_go)


def test_a_layer_in_work_and_the_logits_are_not_held_at_once():
    """With full recomputation the last of four stages holds the larger of the two."""
    with_logits, without = (
        estimate_layout(setting(stack=stack(logit_bytes=b)), Layout(pp=4, recompute=("full",))).memory[-1].parts_bytes
        for b in (6, 0)
    )
    layer = without["activations"] - 2 * 2 * 4096 * 1024  # two layers' inputs stay
    assert layer > 0
    assert with_logits["logits"] == 6 * 4096 * 32000
    assert with_logits["activations"] == pytest.approx(without["activations"] - min(layer, with_logits["logits"]))


def test_outputs_of_stages_are_kept_as_the_software_does():
    """One layer input per micro-batch in flight and chunk; torch.distributed.pipelining joins all logits besides."""
    parts = {}
    for outputs in ("freed", "in-flight", "whole-step"):
        found = estimate_layout(setting(stack=stack(stage_outputs=outputs)), Layout(pp=4)).memory
        parts[outputs] = [stage.parts_bytes for stage in found]
    one = 2 * 4096 * 1024
    more = [a["activations"] - b["activations"] for a, b in zip(parts["in-flight"], parts["freed"], strict=True)]
    assert more == pytest.approx([4 * one, 3 * one, 2 * one, 0])
    assert parts["in-flight"][-1]["logits"] == parts["freed"][-1]["logits"]
    joined = parts["whole-step"][-1]["logits"] - parts["freed"][-1]["logits"]
    assert joined == pytest.approx(2 * 64 * 2 * 4096 * 32000)


def test_copies_of_the_gradient_take_the_place_of_activations():
    """They count where they are more: parameter by parameter they reuse what activations left."""
    few_copies, many = (
        estimate_layout(setting(work=WORK.model_copy(update={"optimizer": Optimizer(step_bytes=b)})), Layout(tp=8))
        for b in (0.1, 1000.0)
    )
    before = estimate_layout(setting(), Layout(tp=8)).memory[0].parts_bytes
    assert few_copies.memory[0].parts_bytes == pytest.approx(before)
    parts = many.memory[0].parts_bytes
    come_and_go = sum(parts[part] for part in ("activations", "logits", "buffers"))
    copies = 1000.0 * parts["weights"] / 2
    assert parts["optimizer"] == pytest.approx(before["optimizer"] + copies - come_and_go)


def test_embedding_and_head_stay_gathered_under_fsdp():
    whole, sharded = (estimate_layout(setting(), Layout(dp=8, zero=z)).memory[0].parts_bytes for z in (2, 3))
    layer = model_parameters(dense_model(8)).blocks["dense"].total
    table = 32000 * 1024
    assert sharded["buffers"] - whole["buffers"] == pytest.approx((2 * 2 + 4) * layer + 2 * 2 * table)


def test_layers_may_fill_stages_in_turn():
    found = estimate_layout(setting(dense_model(10), stack=stack(counts_layers=True)), Layout(pp=4))
    layer, table = model_parameters(dense_model(10)).blocks["dense"].total, 32000 * 1024
    weights = [stage.parts_bytes["weights"] / 2 for stage in found.memory]
    assert weights == pytest.approx([3 * layer + table, 3 * layer, 3 * layer, layer + table])


def test_bound_of_states_is_reached_by_the_plainest_layout():
    """One stage, no norms to speak of: weights, gradients, optimizer, nothing else below the bound."""
    table = columns(Layout(), Layout(tp=4, pp=4, dp=4), Layout(dp=8, zero=3))
    found = state_bytes_bound(setting(), table)
    (stage,) = estimate_layout(setting(), Layout()).memory
    states = sum(stage.parts_bytes[p] for p in ("weights", "gradients", "optimizer"))
    assert found[0] == pytest.approx(states, rel=1e-4)
    assert np.all(found <= estimate_table(setting(), table).memory_peak_bytes)


@pytest.mark.parametrize("recompute", [(), ("core_attn",), ("full",)])
@pytest.mark.parametrize("layout", [{}, {"tp": 4, "pp": 4}, {"dp": 8, "ep": 8}])
def test_operations_sum_to_the_compute_of_the_step(layout, recompute):
    chosen = setting(moe_model(2, 6))
    found = estimate_layout(chosen, Layout(**layout, recompute=recompute))
    operations = layout_operations(chosen, Layout(**layout, recompute=recompute))
    assert sum(op.seconds_per_step for op in operations) == pytest.approx(
        sum(v for k, v in found.time_parts_s.items() if k in COMPUTE)
    )
    assert [op.seconds_per_step for op in operations] == sorted(
        (op.seconds_per_step for op in operations), reverse=True
    )


def test_too_many_chunks_are_refused():
    with pytest.raises(InfeasibleError, match="8 layers cannot fill 8 stages x 2 chunks"):
        estimate_layout(setting(), Layout(pp=8, vpp=2))


def test_a_row_does_not_depend_on_the_rows_before_it():
    """The work after the last layer is weighed in layers; the weight must not change with tensor parallelism."""
    mixer = GroupedQueryAttention(heads=16, kv_heads=1, head_dim=64)
    block = Block(mixer=mixer, feed_forward=DenseFeedForward(width=1024))
    model = Model(name="m", hidden=1024, vocab=16 * 1024, blocks={"a": block}, layers=(("a", 10),))
    layouts = [Layout(tp=1, pp=3), Layout(tp=16, pp=3)]
    together = estimate_table(setting(model), columns(*layouts)).step_s
    alone = [estimate_layout(setting(model), layout).step_s for layout in layouts]
    assert together == pytest.approx(alone)


@pytest.mark.parametrize(
    ("cluster", "precision"),
    [("h100:8", "fp32"), ("h100:8", "tf32"), ("h100:8", "fp16"), ("h100:8", "bf16"),
     ("h100:8", "fp8"), ("b200:8", "mxfp8"), ("b200:8", "nvfp4")],
)  # fmt: skip
def test_no_precision_beats_its_roofline_on_long_sequences(cluster, precision):
    work = TrainingWork(seq_len=131072, global_batch=8, precision=precision)
    found = myriad.estimate_training("llama3-8b", cluster, Layout(tp=8), work)
    assert found.step_s >= found.lower_bound_s


def test_dualpipe_holds_two_stages_and_one_micro_batch_more():
    """DeepSeek-V3, arXiv 2412.19437, table 2: parameters 2 x, activations p + 1."""
    plain_run, dual = (estimate_layout(setting(), Layout(pp=4, schedule=s)).memory for s in ("1f1b", "dualpipe"))
    for before, after in zip(plain_run, dual, strict=True):
        assert after.parts_bytes["weights"] == 2 * before.parts_bytes["weights"]
    held = [stage.parts_bytes["activations"] for stage in dual]
    assert held == pytest.approx([plain_run[0].parts_bytes["activations"] * 5 / 4] * 4)


def test_copies_of_dualpipe_share_their_optimizer_states():
    """The rank at the other end holds the same two stages: sharded states have twice as many places."""
    plain_run, dual = (estimate_layout(setting(), Layout(pp=4, dp=4, schedule=s)).memory for s in ("1f1b", "dualpipe"))
    held = [sum(stage.parts_bytes["optimizer"] for stage in memory) for memory in (plain_run, dual)]
    assert held[1] == pytest.approx(held[0])
