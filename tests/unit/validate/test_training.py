from __future__ import annotations

import json

import pytest

from myriad.errors import InfeasibleError, SpecError
from myriad.spec.cluster import Cluster
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.spec.model import Block, DenseFeedForward, GroupedQueryAttention, Mamba2, MixtureOfExperts, Model
from myriad.spec.result import StageMemory, TrainingEstimate
from myriad.spec.validation import GROUP_KINDS
from myriad.validate.errors import group_error
from myriad.validate.rows import TrainingRow
from myriad.validate.training import parallelism, validate_rows

ATTENTION = GroupedQueryAttention(heads=8, kv_heads=8, head_dim=64)
BLOCK = Block(mixer=ATTENTION, feed_forward=DenseFeedForward(width=2048))
MODELS = {"tiny": Model(name="tiny", hidden=512, vocab=1000, blocks={"a": BLOCK}, layers=(("a", 8),))}


def row(name: str, tokens: float, **changes: object) -> TrainingRow:
    values = {
        "id": name,
        "source": "somebody",
        "model": "tiny",
        "accelerator": "h100-sxm",
        "num_gpus": 8,
        "precision": "bf16",
        "global_batch": 16,
        "micro_batch": 1,
        "seq_len": 4096,
        "tp": 1,
        "recompute": "none",
        "tokens_per_s_per_gpu": tokens,
    }
    return TrainingRow.model_validate({**values, **changes})


def predict(model: Model, cluster: Cluster, layout: Layout, work: TrainingWork) -> TrainingEstimate:
    """Says 1,000 tokens/s per GPU whatever is asked; only full recomputation fits when 2 sequences go at once."""
    fits = layout.micro_batch == 1 or "full" in layout.recompute
    peak_bytes = 60e9 if fits else 90e9
    return TrainingEstimate(
        layout=layout,
        world_size=layout.world_size,
        step_s=1.0,
        time_parts_s={},
        hidden_comm_s={},
        tokens_per_step=1.0,
        tokens_per_s=1000.0 * layout.world_size,
        tokens_per_s_per_gpu=1000.0,
        model_flops_per_token=1.0,
        hardware_flops_per_token=1.0,
        mfu=0.5,
        hfu=0.5,
        peak_flops_per_s=1.0,
        memory=(StageMemory(stage=0, parts_bytes={"weights": peak_bytes}, total_bytes=peak_bytes),),
        memory_capacity_bytes=80e9,
        memory_peak_bytes=peak_bytes,
        fits=fits,
        num_micro_batches=1,
        runs_on={},
        lower_bound_s=0.5,
    )


def test_errors_are_predicted_over_measured():
    found = validate_rows([row("slow", 500.0), row("fast", 2000.0)], predict, MODELS)
    assert [(r.id, r.error) for r in found.per_row] == [("slow", 1.0), ("fast", -0.5)]
    assert found.mean_abs_error == pytest.approx(0.75)
    assert found.bias == pytest.approx(0.25)
    assert found.per_row[0].unit == "tokens/s/GPU"


def test_reasons_are_counted():
    rows = [row("a", 1000.0), row("b", 1.0, quality="suspect"), row("c", 1.0, quality="suspect")]
    found = validate_rows(rows, predict, MODELS)
    assert (found.rows, found.predicted) == (3, 1)
    assert found.skipped == {"quality is suspect, not primary": 2}


def test_a_run_that_cannot_be_is_counted_too():
    def refuse(model: Model, cluster: Cluster, layout: Layout, work: TrainingWork) -> TrainingEstimate:
        if layout.pp > 1:
            raise InfeasibleError("8 layers cannot fill 16 stages")
        return predict(model, cluster, layout, work)

    found = validate_rows([row("a", 1000.0), row("b", 1000.0, pp=2)], refuse, MODELS)
    assert found.skipped == {"8 layers cannot fill 16 stages": 1}


def test_nothing_to_judge_says_why():
    with pytest.raises(SpecError, match=r"none of the 1 rows can be judged: quality is suspect, not primary \(1\)"):
        validate_rows([row("b", 1.0, quality="suspect")], predict, MODELS)


def test_groups_of_every_kind_hold_every_row():
    rows = [row("a", 800.0), row("b", 1250.0, num_gpus=64, tp=2, global_batch=64, source="else")]
    found = validate_rows(rows, predict, MODELS)
    assert set(found.groups) == set(GROUP_KINDS)
    for groups in found.groups.values():
        assert sum(g.rows for g in groups.values()) == 2
    assert found.groups["gpus"]["10-99"].bias == pytest.approx(-0.2)
    assert set(found.groups["parallelism"]) == {"DP", "TP"}


def test_unknown_recomputation_takes_the_first_that_fits():
    found = validate_rows([row("a", 1000.0, micro_batch=2, recompute="unknown")], predict, MODELS)
    assert found.per_row[0].layout.endswith("full")
    assert found.per_row[0].fits
    assert found.per_row[0].assumed == ("recomputation: what fits, not stated",)


def test_memory_is_judged_where_the_layout_is_whole():
    rows = [
        row("fits", 1000.0, peak_memory_bytes=50e9),
        row("does-not", 1000.0, micro_batch=2),
        row("offloads", 1000.0, micro_batch=2, overlap="cpu_offloading_num_layers=20"),
        row("guessed", 1000.0, micro_batch=None),
    ]
    memory = validate_rows(rows, predict, MODELS).memory
    assert (memory.rows, memory.fitting, memory.not_fitting) == (2, 1, ("does-not",))
    assert memory.fitting_fraction == 0.5
    assert (memory.peak_rows, memory.peak_bias) == (1, pytest.approx(0.2))
    assert memory.fitting_with_margin == {0.05: 1, 0.1: 1, 0.2: 1, 0.5: 0}
    group = memory.groups["stack"]["megatron-core"]
    assert (group.rows, group.fitting, group.least_spare_fraction) == (2, 1, pytest.approx(-0.125))
    assert group.peak is not None
    assert group.peak.rows == 1


def test_json_has_the_agreed_shape():
    found = json.loads(validate_rows([row("a", 800.0)], predict, MODELS).model_dump_json())
    numbers = {"mean_abs_error", "median_abs_error", "p90_abs_error", "bias"}
    assert {"rows", "predicted", "skipped", "groups", "per_row", *numbers} <= set(found)
    assert {"id", "measured", "predicted", "error", "unit"} <= set(found["per_row"][0])
    assert set(found["groups"]["stack"]["megatron-core"]) == {"rows", *numbers}


def test_families():
    moe = Block(mixer=ATTENTION, feed_forward=MixtureOfExperts(experts=8, top_k=2, expert_width=64))
    mamba = Block(mixer=Mamba2(heads=8, head_dim=64, state_dim=16, groups=1))
    assert MODELS["tiny"].family == "dense"
    assert MODELS["tiny"].model_copy(update={"blocks": {"a": moe}}).family == "moe"
    two = MODELS["tiny"].model_copy(update={"blocks": {"a": moe, "b": mamba}, "layers": (("a", 1), ("b", 1))})
    assert two.family == "hybrid"


def test_parallelism_names():
    assert parallelism(Layout(dp=8)) == "DP"
    assert parallelism(Layout(dp=8, zero=3)) == "FSDP"
    assert parallelism(Layout(tp=2, pp=2, cp=2, ep=4, dp=8)) == "TP+PP+CP+EP"


def test_quantiles():
    found = group_error([0.1, -0.2, 0.3])
    assert (found.mean_abs_error, found.median_abs_error) == (pytest.approx(0.2), pytest.approx(0.2))
    assert found.p90_abs_error == pytest.approx(0.28)
