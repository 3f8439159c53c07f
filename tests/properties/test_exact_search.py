"""The best of a search is the best of all: sixty random jobs, every layout listed by plain loops and judged alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from myriad.api.training import case_of, search_layouts, setting_of
from myriad.estimate.setting import Setting
from myriad.estimate.table import evaluate_one
from myriad.search.rules import DIVISION_RULES, FRAMEWORK_RULES, violations
from myriad.search.space import Space, default_space
from myriad.spec.job import TrainingWork
from myriad.spec.layout import PIPELINE_SCHEDULES, Layout, LayoutTable, recompute_modules

MODELS = ("llama3.1-8b", "llama3.1-405b", "qwen3-30b-a3b", "gpt-oss-20b", "deepseek-v3", "mixtral-8x7b")
STACKS = ("megatron-core", "torchtitan", "fsdp", "deepseek-hai-llm")
DIMENSIONS = ("tp", "cp", "pp", "vpp", "ep", "etp", "micro_batch", "zero", "recompute", "schedule")
FEWEST, MOST = 3, 60
"""Layouts of a job: each is judged alone, which takes some milliseconds."""


def fits_schedule(schedule: int, pp: int, vpp: int) -> bool:
    """Schedules but the first have stages, and one chunk each; ZB-V two."""
    name = PIPELINE_SCHEDULES[schedule]
    return name == "1f1b" or (pp > 1 and vpp == (2 if name == "zb-v" else 1))


def exhaustive(setting: Setting, space: Space) -> list[Layout]:
    """Every layout of the space that may run, by plain loops."""
    work, gpus = setting.work, setting.cluster.num_accelerators
    listed = []
    for tp, cp, pp, vpp, micro_batch in product(space.tp, space.cp, space.pp, space.vpp, space.micro_batch):
        copies = [d for d in range(1, gpus // (tp * cp * pp) + 1) if work.global_batch % (d * micro_batch) == 0]
        copies = [d for d in copies if tp * cp * pp * d >= space.least_gpus or d == max(copies)]
        if vpp > 1 and pp == 1:
            continue
        for dp, ep, etp, zero, schedule, recompute, offload in product(
            copies, space.ep, space.etp, space.zero, space.schedule, space.recompute, space.offload_optimizer
        ):
            if (etp == 0 and tp == 1) or (zero and dp * cp == 1) or not fits_schedule(schedule, pp, vpp):
                continue  # says the same as another
            listed.append(
                Layout(
                    tp=tp, sp=tp > 1, cp=cp, pp=pp, vpp=vpp, dp=dp, ep=ep, etp=etp or tp, zero=zero,
                    micro_batch=micro_batch, recompute=recompute_modules(recompute), offload_optimizer=bool(offload),
                    schedule=PIPELINE_SCHEDULES[schedule],
                )
            )  # fmt: skip
    if not listed:
        return []
    rules = (*DIVISION_RULES, *FRAMEWORK_RULES[setting.stack.framework])
    bad, _ = violations(rules, case_of(setting), LayoutTable.from_layouts(listed))
    return [layout for layout, violates in zip(listed, bad, strict=True) if not violates]


def random_job(seed: int) -> tuple[Setting, Space, list[Layout]]:
    """A job, a choice or two of every dimension for it, and the layouts that these leave."""
    rng = np.random.default_rng(seed)
    while True:
        cluster = f"{rng.choice(['a100', 'h100', 'h800', 'b200'])}:{rng.choice([4, 8, 24, 64, 512])}"
        work = TrainingWork(
            seq_len=int(rng.choice([1024, 4096])), global_batch=int(rng.choice([8, 24, 64, 512])),
            stack=str(rng.choice(STACKS)),
        )  # fmt: skip
        setting = setting_of(str(rng.choice(MODELS)), cluster, work)
        gpus = setting.cluster.num_accelerators
        whole = default_space(case_of(setting), int(rng.choice([1, gpus // 2, gpus])))
        some = {}
        for name in DIMENSIONS:
            choices = getattr(whole, name)
            some[name] = tuple(sorted(map(int, rng.choice(choices, min(2, len(choices)), replace=False))))
        space = Space(**some, offload_optimizer=(0, 1), least_gpus=whole.least_gpus)
        layouts = exhaustive(setting, space)
        if FEWEST <= len(layouts) <= MOST:
            return setting, space, layouts


@pytest.mark.parametrize("seed", range(60))
def test_best_of_a_search_is_the_best_of_all(seed):
    setting, space, layouts = random_job(seed)
    rng = np.random.default_rng(seed)
    alone = [evaluate_one(setting, layout).table for layout in layouts]
    step_s, memory = (np.array([float(getattr(t, n)[0]) for t in alone]) for n in ("step_s", "memory_peak_bytes"))
    objective = str(rng.choice(["time", "cost", "gpus"]))
    # A limit that most, some or a few of the layouts keep.
    headroom = 1.0 - np.quantile(memory, rng.choice([0.2, 0.6, 1.0])) * (1 + 1e-9) / setting.device.memory_bytes
    found = search_layouts(setting, objective=objective, space=space, memory_headroom=float(headroom))
    fits = memory <= setting.device.memory_bytes * (1.0 - headroom)
    gpus = np.array([float(layout.world_size) for layout in layouts])
    price = {"time": step_s, "cost": step_s * gpus, "gpus": gpus}[objective]
    assert len(found.ranking.order) == fits.sum() > 0
    best = layouts.index(found.ranking.layouts.row(int(found.ranking.order[0])))
    assert fits[best]
    assert price[best] == pytest.approx(price[fits].min(), rel=1e-12)
    if objective == "gpus":
        assert step_s[best] == pytest.approx(step_s[fits & (gpus == gpus[best])].min(), rel=1e-12)
