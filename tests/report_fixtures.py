"""A plan written by hand from `spec.result`: three jobs, three pools, with every case that a report must show.

The figures are plausible, not computed: reports must not need the formulas.
"""

from __future__ import annotations

from itertools import product

from myriad.spec.layout import Layout
from myriad.spec.mixed import LongLink, MixedEstimate, MixPart, MixResult, PoolAlone
from myriad.spec.money import CostLine
from myriad.spec.result import (
    Band,
    Comparison,
    JobOnPool,
    JobPlan,
    OperationTime,
    Plan,
    RankedLayout,
    SearchResult,
    Sensitivity,
    SourcedFigure,
    StageLoad,
    StageMemory,
    TrainingEstimate,
)
from myriad.spec.timeline import Operations, StageTimeline, StageTransfers, StepTimeline

GIB = float(2**30)

MOE_SHARES = {
    "gemm": 0.184, "expert_gemm": 0.262, "attention": 0.071, "memory_bound": 0.083, "embedding_loss": 0.013,
    "recompute": 0.054, "host": 0.006, "tp_comm": 0.046, "ep_comm": 0.113, "pp_comm": 0.009, "dp_comm": 0.021,
    "bubble": 0.117, "optimizer": 0.012, "overhead": 0.009,
}  # fmt: skip
DENSE_SHARES = {
    "gemm": 0.63, "attention": 0.07, "memory_bound": 0.09, "embedding_loss": 0.03, "tp_comm": 0.05,
    "dp_comm": 0.08, "optimizer": 0.03, "overhead": 0.02,
}  # fmt: skip
RUNS = {
    "megatron-core": "",
    "torchtitan": "data parallelism is FSDP2 (ZeRO-3) or HSDP",
    "fsdp": "no tensor, context, pipeline or expert parallelism",
}


def estimate(
    layout: Layout, step_s: float, shares: dict[str, float], peak_gib: float, tokens: float, mfu: float
) -> TrainingEstimate:
    stages = []
    for stage in range(layout.pp):
        total = peak_gib * GIB * (1.0 - 0.34 * stage / max(1, layout.pp - 1))
        parts = {"weights": 0.17, "gradients": 0.3, "optimizer": 0.1, "activations": 0.28, "logits": 0.0,
                 "buffers": 0.05, "reserved": 0.07, "fragmentation": 0.03}  # fmt: skip
        if stage == layout.pp - 1:
            parts |= {"logits": 0.06, "activations": 0.22}
        stages.append(StageMemory(stage=stage, parts_bytes={k: v * total for k, v in parts.items()}, total_bytes=total))
    return TrainingEstimate(
        layout=layout,
        world_size=layout.world_size,
        step_s=step_s,
        time_parts_s={part: share * step_s for part, share in shares.items()},
        hidden_comm_s={"tp_comm": 0.06 * step_s, "dp_comm": 0.08 * step_s, "ep_comm": 0.05 * step_s},
        tokens_per_step=tokens,
        tokens_per_s=tokens / step_s,
        tokens_per_s_per_gpu=tokens / step_s / layout.world_size,
        model_flops_per_token=2.7e11,
        hardware_flops_per_token=2.9e11,
        mfu=mfu,
        hfu=mfu * 1.08,
        peak_flops_per_s=989e12,
        stages=tuple(
            StageLoad(
                stage=s,
                chunks=(3, 2) if s else (2, 2),
                layers={"dense": 1, "moe": 4} if s == 1 else {"moe": 5 if s else 4},
                prediction_depths=2 if s == len(stages) - 1 else 0,
                micro_batch_s=step_s / 80 if s else step_s / 100,
            )
            for s in range(len(stages))
        ),
        memory=tuple(stages),
        memory_capacity_bytes=80 * GIB,
        memory_peak_bytes=peak_gib * GIB,
        fits=peak_gib <= 80,
        num_micro_batches=64,
        runs_on=RUNS,
        lower_bound_s=step_s * mfu,
        band=Band(share=0.8, low_step_s=step_s / 1.12, high_step_s=step_s * 1.12, basis="known"),
    )


def ranked(best: TrainingEstimate, count: int = 20) -> tuple[RankedLayout, ...]:
    rows = []
    choices = product((8, 4, 16, 2), (2, 4, 1), ((), ("core_attn",), ("mlp", "moe_act")))
    for i, (tp, vpp, recompute) in zip(range(count), choices, strict=False):
        layout = best.layout.model_copy(
            update={"tp": tp, "vpp": vpp if best.layout.pp > 1 else 1, "recompute": recompute}
        )
        if i == 0:
            layout = best.layout
        worse = {
            "bubble": 0.011 * i,
            "tp_comm": 0.004 * (i % 4),
            "ep_comm": 0.003 * (i % 5),
            "recompute": 0.002 * (i % 3),
        }
        parts = {k: v + worse.get(k, 0.0) * best.step_s for k, v in best.time_parts_s.items()}
        step_s = sum(parts.values())
        rows.append(
            RankedLayout(
                rank=i + 1,
                layout=layout,
                step_s=step_s,
                tokens_per_s_per_gpu=best.tokens_per_s_per_gpu * best.step_s / step_s,
                mfu=best.mfu * best.step_s / step_s,
                memory_peak_bytes=best.memory_peak_bytes * (1 - 0.035 * (i % 9)),
                num_gpus=best.world_size if i % 6 else best.world_size // (1 + i // 6),
                cost_usd=6.1e7 * step_s / best.step_s,
                time_parts_s=parts,
                runs_on=RUNS
                if i % 3
                else {
                    "megatron-core": "",
                    "torchtitan": "",
                    "fsdp": "no tensor, context, pipeline or expert parallelism",
                },
                loses_by="" if i == 0 else "bubble",
            )
        )
    return tuple(rows)


def search(best: TrainingEstimate) -> SearchResult:
    rows = ranked(best)
    return SearchResult(
        layouts_enumerated=412_560,
        layouts_evaluated=96_204,
        layouts_fitting=18_377,
        rejected={
            "does not fit in memory": 77_827,
            "tp does not divide the attention heads or feed-forward width": 201_344,
            "ep does not divide the experts": 92_612,
            "megatron-core: interleaving needs micro-batches in multiples of pp": 22_400,
        },
        search_s=0.82,
        layouts_per_s=117_322.0,
        objective="time",
        best=best,
        ranked=rows,
        pareto=tuple(sorted(rows, key=lambda r: r.step_s))[::2],
    )


def _large_model() -> JobPlan:
    layout = Layout(tp=8, pp=8, vpp=2, ep=32, dp=128, micro_batch=1, recompute=("moe_act",))
    best = estimate(layout, 12.3, MOE_SHARES, 71.4, 8192 * 4096, 0.382)
    given = estimate(layout.model_copy(update={"vpp": 1, "recompute": ("full",)}), 14.15,
                     MOE_SHARES | {"bubble": 0.17, "recompute": 0.11, "gemm": 0.15, "expert_gemm": 0.193}, 58.0,
                     8192 * 4096, 0.332)  # fmt: skip
    own = JobOnPool(
        pool="own", feasible=True, num_gpus=8192, estimate=best, search=search(best), steps=595_000, days=84.3,
        deadline_days=120, meets_deadline=True, gpu_hours=1.657e7, energy_joules=6.4e13,
        costs=(
            CostLine(name="hardware", amount_usd=5.2e7, basis="8,192 accelerators at 40,000 USD, 84.3 days of 5 years"),
            CostLine(name="electricity", amount_usd=1.6e6, basis="17,778 MWh at 0.09 USD/kWh, PUE 1.25"),
            CostLine(name="operations", amount_usd=7.6e6, basis="10.0% of the price per year"),
        ),
        cost_usd=6.12e7,
    )  # fmt: skip
    slower = estimate(layout.model_copy(update={"dp": 32, "ep": 16}), 41.0, MOE_SHARES, 74.0, 8192 * 4096, 0.44)
    cloud = JobOnPool(
        pool="cloud-east", feasible=True, num_gpus=2048, estimate=slower, search=search(slower), steps=595_000,
        days=282.0, deadline_days=120, meets_deadline=False, gpu_hours=1.386e7, energy_joules=5.1e13,
        costs=(CostLine(name="rent", amount_usd=2.9e7, basis="13,860,000 GPU-h at 2.1 USD/GPU-h"),), cost_usd=2.9e7,
    )  # fmt: skip
    north = JobOnPool(pool="cloud-north", feasible=False, reason="lacks 11.4 GiB per accelerator")
    gains = {
        "matrix_rate": 0.041, "memory_bandwidth": 0.008, "memory_capacity": 0.022, "scale_up": 0.006,
        "scale_out": 0.012, "gpus": 0.084,
    }  # fmt: skip
    sensitivity = [
        Sensitivity(resource=r, change_fraction=0.1, step_s=12.3 * (1 - g), gain_fraction=g) for r, g in gains.items()
    ]
    sensitivity.append(Sensitivity(resource="latency", change_fraction=-0.1, step_s=12.29, gain_fraction=0.0008))
    return JobPlan(
        name="pretrain-pro", model="mimo-v2-pro", model_name="MiMo-V2-Pro", total_parameters=1.02e12,
        active_parameters=4.2e10, tokens=20e12, seq_len=4096, global_batch=8192, precision="fp8-block",
        stack="megatron-core", chosen=own, others=(cloud, north),
        comparison=Comparison(layout=given.layout, source="team baseline, spring", estimate=given, rank=212, of=18_377,
                              slower_fraction=0.1504),
        sensitivity=tuple(sensitivity), timeline=timeline(),
        caveats=("8,192 accelerators; the largest run checked on NVIDIA H800 SXM had 2,048",
                 "384 experts; the most checked are 256"),
    )  # fmt: skip


def timeline(micro_batches: int = 6) -> StepTimeline:
    """Eight stages that do all forwards of 0.1 s and then all backwards of 0.2 s; a gibibyte a micro-batch."""
    stages, m = 8, micro_batches
    turn_s = 0.1 * (m + stages - 1)
    runs = [
        (stage, kind, batch, start_s, start_s + length_s)
        for stage in range(stages)
        for kind, length_s, first_s in ((0, 0.1, 0.1 * stage), (1, 0.2, turn_s + 0.2 * (stages - 1 - stage)))
        for batch in range(m)
        for start_s in [round(first_s + batch * length_s, 6)]
    ]
    sent = [
        (kind, stage, stage + 1 - 2 * kind, batch, end_s, end_s + 0.01)
        for stage, kind, batch, _, end_s in runs
        if 0 <= stage + 1 - 2 * kind < stages
    ]
    stage_, kind_, batch_, start_, end_ = zip(*runs, strict=True)
    names = ("kind", "from_stage", "to_stage", "micro_batch", "start_s", "end_s")
    pipeline_s = max(end_)
    return StepTimeline(
        version="0.1.0", subject="MiMo-V2-Pro, 8,192 x NVIDIA H800", layout=Layout(pp=stages, dp=1024),
        num_micro_batches=m, pipeline_s=pipeline_s, closed_pipeline_s=pipeline_s / 1.12, busy_s=0.3 * m,
        closed_busy_s=0.3 * m, bubble_s=pipeline_s - 0.3 * m - 0.07, closed_bubble_s=pipeline_s / 1.12 - 0.3 * m - 0.04,
        transfers_s=0.07, closed_transfers_s=0.04, step_s=pipeline_s + 1, estimated_step_s=pipeline_s / 1.12 + 1,
        equal_chunks=False, within_closed_form=True,
        stages=tuple(
            StageTimeline(
                stage=s, busy_s=0.3 * m, held_s=0.0, idle_s=pipeline_s - 0.3 * m, peak_micro_batches=m,
                peak_activation_bytes=m * GIB,
                held_time_s=tuple(t for run, t in zip(runs, start_, strict=True) if run[0] == s and run[1] == 0)
                + tuple(t for run, t in zip(runs, end_, strict=True) if run[0] == s and run[1] == 1),
                held_bytes=tuple(GIB * n for n in (*range(1, m + 1), *reversed(range(m)))),
            )
            for s in range(stages)
        ),
        operations=Operations(
            stage=stage_, kind=kind_, chunk=stage_, micro_batch=batch_, start_s=start_, end_s=end_,
            with_next=(False,) * len(runs),
        ),
        transfers=StageTransfers(**dict(zip(names, zip(*sent, strict=True), strict=True))),
        windows_s=((0.0, pipeline_s),),
    )  # fmt: skip


def _small_model() -> JobPlan:
    layout = Layout(tp=1, pp=1, dp=512, zero=3, micro_batch=4)
    best = estimate(layout, 2.04, DENSE_SHARES, 44.0, 1024 * 8192, 0.468)
    chosen = JobOnPool(
        pool="cloud-north", feasible=True, num_gpus=512, estimate=best, search=search(best), steps=1.43e6, days=33.8,
        deadline_days=30, meets_deadline=False, gpu_hours=4.15e5, energy_joules=1.4e12,
        missing=("pools.cloud-north.terms are not given: no money",),
    )  # fmt: skip
    return JobPlan(
        name="device-4b", model="device-4b", model_name="Device 4B", total_parameters=4.02e9, active_parameters=4.02e9,
        tokens=12e12, seq_len=8192, global_batch=1024, precision="bf16", stack="torchtitan", chosen=chosen, others=(),
    )  # fmt: skip


def _infeasible() -> JobPlan:
    return JobPlan(
        name="driving", model="driving-30b", model_name="Driving 30B",
        total_parameters=3.1e10, active_parameters=3.1e10,
        tokens=None, seq_len=131_072, global_batch=64, precision="bf16", stack="megatron-core", chosen=None,
        others=(JobOnPool(pool="cloud-north", feasible=False, reason="lacks 11.4 GiB per accelerator"),),
    )  # fmt: skip


def plan() -> Plan:
    """The whole plan: one job in time, one late and without money, one that no pool can run."""
    kinds = ("datasheet", "measured", "published", "derived", "assumed", "given")
    return Plan(
        system="Human, car, home", description="One operator's cluster and two rented pools, for three models.",
        version="0.1.0", currency="CNY", usd_per_currency=0.14,
        pools={
            "own": "10,000 x NVIDIA H800 SXM; scale-up 8 at 200 GB/s, scale-out 10,000 at 50 GB/s; owned",
            "cloud-east": "2,048 x NVIDIA H800 SXM; scale-up 8 at 200 GB/s, scale-out 2,048 at 25 GB/s; rented",
            "cloud-north": "512 x NVIDIA A100 SXM 40GB; scale-up 8 at 300 GB/s, scale-out 512 at 25 GB/s; "
            "no terms given",
        },
        jobs=(_large_model(), _small_model(), _infeasible()), total_cost_usd=6.12e7,
        warnings=("pool own: its jobs need 1,200,000 accelerator-days; "
                  "10,000 accelerators have 1,100,000 until the last deadline",),
        sources=tuple(
            SourcedFigure(entry=entry, figure=figure, value=value, kind=kinds[i % len(kinds)],
                          source="NVIDIA H800 datasheet, 2023" if i % 2 else "https://example.org/datasheet.pdf",
                          note="quoted second-hand" if i % 3 == 0 else "")
            for i, (entry, (figure, value)) in enumerate(product(
                ("h800-sxm", "dgx-h800", "mimo-v2-pro", "this file"),
                (("bf16_flops_per_s", "989 TFLOP/s"), ("memory_bytes", "80 GB"), ("tdp_watts", "700 W"))))
        ),
        plan_s=3.4,
    )  # fmt: skip


def operations() -> tuple[OperationTime, ...]:
    return (
        OperationTime(name="expert up and gate", part="expert_gemm", shape="m 8192, n 4096, k 7168",
                      calls_per_step=3840, flops=4.8e11, bytes=2e8, seconds_per_step=2.1),
        OperationTime(name="output projection", part="gemm", shape="m 4096, n 7168, k 2048", calls_per_step=3840,
                      flops=1.2e11, bytes=1e8, seconds_per_step=0.8),
        OperationTime(name="norm", part="memory_bound", shape="4096 x 7168", calls_per_step=7680, flops=0.0, bytes=2e8,
                      seconds_per_step=0.4),
    )  # fmt: skip


def mix() -> MixResult:
    """A pipeline over two pools that beats replicas in both; one of them cannot do it alone."""
    layout = Layout(tp=4, cp=8, pp=24, dp=16)
    replicas = Layout(tp=4, cp=4, pp=32, vpp=4, dp=16)

    def part(pool: str, gpus: int, share: float, **more: object) -> MixPart:
        values: dict[str, object] = {
            "pool": pool, "num_gpus": gpus, "layout": layout, "stages": 8, "layers": 46, "sequences": 8192,
            "num_micro_batches": 192, "share": share, "busy_s": 7.2, "cross_exposed_s": 0.3, "cross_hidden_s": 1.1,
            "idle_s": 1.5, "time_parts_s": {}, "memory_peak_bytes": 60 * GIB, "memory_capacity_bytes": 80 * GIB,
        }  # fmt: skip
        return MixPart.model_validate(values | more)

    def joined(join: str, step_s: float, parts: tuple[MixPart, ...], extra: int) -> MixedEstimate:
        return MixedEstimate(
            join="data" if join == "data" else "pipeline", parts=parts, step_s=step_s, tokens_per_step=8192 * 4096,
            tokens_per_s=8192 * 4096 / step_s, bound_tokens_per_s=5e6,
            time_parts_s={part: share * step_s for part, share in DENSE_SHARES.items()},
            cross_bytes=8.25e11, cross_s=2.0, extra_micro_batches=extra, tried=3678, best_alone="own",
            gain_fraction=0.23,
        )  # fmt: skip

    shares = {"layout": replicas, "stages": 32, "layers": 126, "idle_s": 0.0, "busy_s": 9.0, "cross_exposed_s": 1.0}
    return MixResult(
        link=LongLink(distance=1.2e6, bandwidth=5e11),
        alone=(
            PoolAlone(pool="own", num_gpus=8192, layout=replicas, step_s=11.0, tokens_per_s=3.05e6),
            PoolAlone(pool="cloud-east", reason="lacks 11.4 GiB per accelerator"),
        ),
        joined=(
            joined("pipeline", 9.0, (part("own", 8192, 0.65, layers=80, stages=16), part("cloud-east", 4096, 0.35)), 2),
            joined(
                "data", 10.0,
                (part("own", 8192, 2 / 3, sequences=4096, **shares), part("cloud-east", 4096, 1 / 3, **shares)), 0,
            ),
        ),
        caveats=(
            "no published run over several kinds of accelerators or sites was checked: a mix has no band",
            "a step needs all pools: their goodputs multiply, and a failure in one stops the others",
        ),
    )  # fmt: skip


def mixed_plan(chosen: bool) -> Plan:
    """A plan of one job with a mix, which wins or not."""
    job, whole = _large_model(), plan()
    mixed = JobOnPool(
        pool="own + cloud-east", feasible=True, num_gpus=12288, mix=mix(), steps=595_000, days=62.0, deadline_days=70,
        meets_deadline=True, gpu_hours=1.83e7, energy_joules=7e13, cost_usd=7e7,
        costs=(
            CostLine(name="hardware", pool="own", amount_usd=5e7, basis="4.0% of the price per year"),
            CostLine(name="rent", pool="cloud-east", amount_usd=2e7, basis="9,510,566 GPU-h at 2 USD/GPU-h"),
        ),
    )  # fmt: skip
    assert job.chosen is not None
    options = (mixed, job.chosen) if chosen else (job.chosen, mixed)
    changes = {"chosen": options[0], "others": options[1:], "caveats": ()}
    if chosen:
        changes |= {"comparison": None, "sensitivity": ()}
    return whole.model_copy(update={"jobs": (job.model_copy(update=changes),), "warnings": ()})
