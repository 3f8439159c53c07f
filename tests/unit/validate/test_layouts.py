from __future__ import annotations

import pytest

from myriad.spec.model import Block, DenseFeedForward, GroupedQueryAttention, MixtureOfExperts, Model
from myriad.validate.errors import SkipError
from myriad.validate.layouts import Run, run_of, scale_out_bytes_per_s_per_gpu
from myriad.validate.rows import TrainingRow

BLOCK = Block(mixer=GroupedQueryAttention(heads=8, kv_heads=8, head_dim=64), feed_forward=DenseFeedForward(width=2048))
MODELS = {"tiny": Model(name="tiny", hidden=512, vocab=1000, blocks={"a": BLOCK}, layers=(("a", 8),))}
ROW = {
    "id": "r",
    "source": "somebody",
    "model": "tiny",
    "accelerator": "h100-sxm",
    "num_gpus": 64,
    "precision": "bf16",
    "global_batch": 128,
    "micro_batch": 1,
    "seq_len": 4096,
    "tp": 2,
    "pp": 2,
    "tokens_per_s_per_gpu": 1000.0,
}


ROUTED = Block(mixer=BLOCK.mixer, feed_forward=MixtureOfExperts(experts=64, top_k=4, expert_width=512))
MODELS["routed"] = Model(name="routed", hidden=512, vocab=1000, blocks={"a": ROUTED}, layers=(("a", 8),))


def run(**changes: object) -> Run:
    return run_of(TrainingRow.model_validate({**ROW, **changes}), MODELS)


def layout(**changes: object):
    return run(**changes).layouts[0]


def reason(**changes: object) -> str:
    with pytest.raises(SkipError) as caught:
        run(**changes)
    return str(caught.value)


def test_dp_is_what_is_left():
    assert (layout().dp, layout(cp=4).dp) == (16, 4)


@pytest.mark.parametrize(
    ("text", "zero", "shard"),
    [
        ("", 1, 0),
        ("FSDP=0", 1, 0),
        ("ZeRO-0", 0, 0),
        ("ZeRO-1 (BF16 optimizer)", 1, 0),
        ("zero1 size 8", 1, 8),
        ("zero1 over all DP", 1, 0),
        ("zero1 size 64", 1, 0),
        ("FSDP", 3, 0),
        ("FSDP2 8", 3, 8),
        ("FSDP2 64", 3, 0),
        ("HSDP 8", 3, 8),
        ("FSDP FULL_SHARD mp_mode DEFAULT", 3, 0),
        ("FSDP SHARD_GRAD_OP mp_mode DEFAULT", 2, 0),
        ("dcn_FSDP=4 dcn_DP=2 ici_FSDP=8", 3, 32),
        ("FSDP+DP", 3, 0),
    ],
)
def test_sharding_texts(text, zero, shard):
    found = layout(sharding=text, tp=None, pp=None) if text else layout()
    assert (found.zero, found.shard) == (zero, shard)


def test_fsdp_alone_is_a_layout():
    found = layout(sharding="FSDP", tp=None, pp=None)
    assert (found.tp, found.pp, found.dp) == (1, 1, 64)


def test_fsdp_under_a_pipeline_gathers_once_where_the_software_does():
    assert layout(source="torchtitan benchmarks", sharding="FSDP2 16").zero == 1
    assert layout(sharding="FSDP").zero == 3


def test_megatron_of_2021_shards_nothing_unless_it_says_so():
    assert layout(source="Megatron SC21 Table 1").zero == 0
    assert layout(source="BigScience 176B topology sweep", sharding="ZeRO-1").zero == 1
    assert not layout(source="Megatron SC21 Table 1").sp


@pytest.mark.parametrize(
    ("changes", "micro_batch", "global_batch"),
    [
        ({"micro_batch": None, "grad_accum": 4}, 2, 128),
        ({"global_batch": None, "grad_accum": 4}, 1, 64),
        ({"global_batch": None, "micro_batch": None, "notes": "local batch size 6"}, 1, 96),
        ({"micro_batch": None}, 1, 128),
        ({"micro_batch": None, "source": "torchtitan", "notes": "schedule Interleaved 1F1B"}, 4, 128),
    ],
)
def test_batches_that_the_source_leaves_out(changes, micro_batch, global_batch):
    found = run(**changes)
    assert (found.layouts[0].micro_batch, found.work.global_batch) == (micro_batch, global_batch)


def test_a_guessed_micro_batch_is_said_and_does_not_judge_memory():
    found = run(micro_batch=None)
    assert "micro-batch 1: not stated" in found.assumed
    assert not found.judges_memory
    assert run().judges_memory


def test_unknown_recomputation_offers_more_and_more():
    assert [x.recompute for x in run(recompute="unknown (as the recipe)").layouts][::2] == [(), ("full",)]
    assert [x.recompute for x in run(recompute="none (recipe)").layouts] == [()]
    assert layout(recompute="selective ['moe_act', 'layernorm']").recompute == ("layernorm", "moe_act")
    assert layout(recompute="selective").recompute == ("core_attn",)


@pytest.mark.parametrize(
    ("text", "precision"),
    [
        ("", "bf16"),
        ("bf16 (amp)", "bf16"),
        ("fp8-cs", "fp8"),
        ("fp8 rowwise", "fp8-row"),
        ("fp8-blockwise", "fp8-block"),
        ("mxfp8", "mxfp8"),
        ("nvfp4 or fp8 (both configs in the repo)", "nvfp4"),
        ("fp16/bf16 (not stated per row)", "fp16"),
    ],
)
def test_precision_texts(text, precision):
    assert run(precision=text).work.precision == precision


def test_token_drop_is_only_for_experts():
    assert run(notes="token-drop at capacity 1").work.expert_capacity is None


def test_pure_bf16_has_no_master_copy():
    assert run(precision="bf16 (pure)").work.optimizer.master_bytes == 0


def test_layers_override_cuts_the_model():
    assert run(num_layers=3).model.num_layers == 3


def test_domain_of_the_row_never_exceeds_the_links():
    assert run(scale_up_domain=72).cluster.links[0].domain == 8
    assert run(scale_up_domain=4).cluster.links[0].domain == 4
    assert [x.tier for x in run(num_gpus=8, tp=8, pp=1).cluster.links] == ["scale-up"]
    assert run().cluster.links[1].domain == 64


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("4 x 100Gb RoCE per node", 6.25e9),
        ("1600 Gbps RoCE node-to-node (doc section title)", 25e9),
        ("RDMA 400 Gb/s per GPU (Grand Teton)", 50e9),
        ("Jean Zay: 4 Omni-Path links per 8-GPU node", 6.25e9),
        ("Storage: 2x BF3 ConnectX-7 400Gb/s, Compute: 8x BF3 ConnectX-7 400Gb/s", 50e9),
        ("1x Ethernet 100Gb/Sec, 8x NVIDIA Quantum-2 CX7 InfiniBand (400Gb/s)", 50e9),
        ("Ethernet", None),
        ("", None),
    ],
)
def test_network_texts(text, rate):
    assert scale_out_bytes_per_s_per_gpu(text, 8) == rate


def test_stated_network_reaches_the_cluster():
    assert run(internode="4 x 100Gb RoCE per node").cluster.links[1].bytes_per_s_one_way == 6.25e9


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"quality": "suspect"}, "quality is suspect"),
        ({"num_gpus": None}, "GPU count"),
        ({"tp": None, "pp": None}, "layout is incomplete"),
        ({"num_gpus": 63}, "no multiple of tp x pp x cp"),
        ({"dp": 8}, "dp is not gpus"),
        ({"global_batch": 100}, "no multiple of micro-batch x dp"),
        ({"global_batch": None, "micro_batch": None}, "batch is incomplete"),
        ({"seq_len": None}, "sequence length"),
        ({"precision": "int5"}, "precision 'int5' is not known"),
        ({"model": "nobody-7b"}, "has the model nobody-7b"),
        ({"accelerator": "abacus"}, "no accelerator abacus"),
        ({"tokens_per_s_per_gpu": None}, "no measured throughput"),
    ],
)
def test_reasons_to_skip(changes, text):
    assert text in reason(**changes)


def test_chunks_that_the_source_leaves_out():
    assert layout().vpp == 1
    assert layout(source="MLPerf Training v5.0").vpp == 2
    assert layout(source="MLPerf Training v5.0", vpp=4).vpp == 4
    assert layout(source="MLPerf Training v5.0", pp=1).vpp == 1
    assert layout(source="torchtitan", notes="schedule Interleaved 1F1B").vpp == 2


def test_expert_ranks_that_do_not_divide_are_cut():
    assert layout(ep=64).ep == 32


def test_expert_ranks_named_but_not_sized():
    assert layout(notes="Table 3, FSDP + EP").ep == 8


RECIPE = {
    "source": "Megatron-Bridge performance summary", "model": "routed", "accelerator": "GB200", "precision": "mxfp8",
    "notes": "container 26.08", "tp": 1, "pp": 1, "ep": 64,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, ("graph-step", "overlap-experts")),
        ({"overlap": "moe_flex_dispatcher_backend=hybridep"}, ("dispatch-once", "graph-step", "overlap-experts")),
        ({"overlap": "_enable_hybridep_full_iteration_mxfp8"}, ("graph-step", "overlap-experts", "dispatch-once")),
        ({"overlap": "cuda_graph_impl=transformer_engine; cuda_graph_scope=[attn]"}, ("graph-mixers",)),
        ({"notes": "container 26.04"}, ()),
        ({"notes": "container 25.09; token-drop at capacity 1"}, ("graph-step",)),
        ({"precision": "bf16"}, ()),
        ({"accelerator": "B200"}, ()),
        ({"model": "tiny", "ep": None}, ()),
        ({"source": "somebody"}, ()),
    ],
)
def test_recipes_that_run_whole_steps_as_graphs(changes, found):
    assert run(**{**RECIPE, **changes}).work.switches == found


def test_dispatchers_that_send_a_token_once_are_read():
    assert run(overlap="TE + DeepEP").work.switches == ("dispatch-once",)


def test_jobs_that_fill_racks_split_expert_groups():
    """Of groups of 64 on racks of 72 one has eight ranks in a rack."""
    aligned, packed = (
        run(**{**RECIPE, "source": source}).cluster.links[0].domain
        for source in ("somebody", "NVIDIA DGX Cloud benchmarking recipes README")
    )
    assert (aligned, packed) == (72, 8)
