"""Mixes of random pools: never above their bounds, better with a better link, and themselves where nothing differs."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from myriad import catalog
from myriad.api.mixed import mix_training
from myriad.api.mixed_pipeline import join_pipeline
from myriad.api.mixed_replicas import join_replicas
from myriad.api.training import Searched, search_layouts, setting_of
from myriad.errors import InfeasibleError
from myriad.estimate.mixed.replicas import Pace, divide_batch, division_bound_s
from myriad.estimate.training import estimate_layout
from myriad.search.rules import Case, runs_on
from myriad.spec.job import TrainingWork
from myriad.spec.mixed import LongLink, MixedEstimate
from myriad.spec.model import Model

TINY = Model.model_validate(
    {
        "name": "Tiny", "hidden": 2048, "vocab": 32000, "layers": [["dense", 4]],
        "blocks": {
            "dense": {
                "mixer": {"kind": "gqa", "heads": 16, "kv_heads": 8, "head_dim": 128},
                "feed_forward": {"kind": "dense", "width": 8192},
            }
        },
    }
)  # fmt: skip
WORK = TrainingWork(seq_len=1024, global_batch=96)
CHIPS = ("h100", "h800", "a100", "h20", "h200")
NEXT_DOOR = LongLink(distance=0.0, bandwidth=1e18)


@cache
def searched(pool: str) -> Searched:
    setting = setting_of(TINY, catalog.cluster(pool), WORK)
    return search_layouts(setting, least_gpus=setting.cluster.num_accelerators // 2)


def joined(pools: tuple[str, ...], link: LongLink) -> MixedEstimate:
    return join_replicas({f"{pool} {index}": searched(pool) for index, pool in enumerate(pools)}, link)


def random_pools(rng: random.Random, number: int = 2) -> tuple[str, ...]:
    return tuple(f"{rng.choice(CHIPS)}:{rng.choice((8, 16, 32))}" for _ in range(number))


def random_link(rng: random.Random) -> LongLink:
    return LongLink(distance=10 ** rng.uniform(3, 7), bandwidth=10 ** rng.uniform(8, 13))


@pytest.mark.parametrize("seed", range(13))
def test_replicas_are_never_above_the_pools_alone_together(seed: int) -> None:
    rng = random.Random(seed)
    for number in (2, 2, 2, 2 if seed % 4 else 3):
        pools, link = random_pools(rng, number), random_link(rng)
        mix = joined(pools, link)
        alone = [WORK.global_batch * WORK.seq_len / min(searched(pool).ranking.step_s[searched(pool).ranking.order])
                 for pool in pools]  # fmt: skip
        assert mix.bound_tokens_per_s == pytest.approx(sum(alone))
        assert mix.tokens_per_s <= mix.bound_tokens_per_s
        assert sum(part.sequences for part in mix.parts) == WORK.global_batch
        assert sum(part.share for part in mix.parts) == pytest.approx(1.0)
        assert sum(mix.time_parts_s.values()) == pytest.approx(mix.step_s)
        for part in mix.parts:
            assert part.busy_s + part.cross_exposed_s + part.idle_s == pytest.approx(mix.step_s)
            assert sum(part.time_parts_s.values()) == pytest.approx(part.busy_s)
            assert part.sequences == part.num_micro_batches * part.layout.dp * part.layout.micro_batch


@pytest.mark.parametrize("seed", range(13))
def test_pipelines_are_never_above_what_their_stages_pass(seed: int) -> None:
    rng = random.Random(100 + seed)
    tried = 0
    while tried < 4:
        pools, link = random_pools(rng), random_link(rng)
        settings = {f"{pool} {index}": searched(pool).setting for index, pool in enumerate(pools)}
        try:
            mix = join_pipeline(settings, link, 0.05, None)
        except InfeasibleError:
            continue  # sizes of which no layout fills both
        tried += 1
        assert mix.tokens_per_s <= mix.bound_tokens_per_s
        assert sum(part.layers for part in mix.parts) == TINY.num_layers
        assert sum(part.stages for part in mix.parts) == mix.parts[0].layout.pp
        assert sum(mix.time_parts_s.values()) == pytest.approx(mix.step_s)
        for part in mix.parts:
            assert part.busy_s + part.cross_exposed_s + part.idle_s == pytest.approx(mix.step_s)
            assert part.memory_peak_bytes <= 0.95 * part.memory_capacity_bytes


@pytest.mark.parametrize("pools", [("h100:16", "a100:16"), ("h800:32", "h20:16")])
def test_a_better_link_is_never_worse(pools: tuple[str, str]) -> None:
    settings = {pool: searched(pool).setting for pool in pools}
    for links in (
        [LongLink(distance=1e6, bandwidth=10**power) for power in (8, 9, 10, 11, 12)],
        [LongLink(distance=distance, bandwidth=1e10) for distance in (1e7, 1e6, 1e5, 0.0)],
    ):
        steps = [joined(pools, link).step_s for link in links]
        assert steps == sorted(steps, reverse=True)
        piped = [join_pipeline(settings, link, 0.05, None).step_s for link in links]
        assert piped == sorted(piped, reverse=True)


@pytest.mark.parametrize("pool", ["h100:16", "a100:32", "h20:16", "h200:64"])
def test_a_pool_beside_itself_is_one_pool_of_twice_the_size(pool: str) -> None:
    """Sharded over half the replicas (HSDP): only what is exposed of the sum between the halves may differ."""
    name, _, count = pool.partition(":")
    mix = joined((pool, pool), NEXT_DOOR)
    one, other = mix.parts
    assert (one.layout, one.sequences) == (other.layout, other.sequences)
    half = one.layout
    twice = setting_of(TINY, catalog.cluster(f"{name}:{2 * int(count)}"), WORK)
    whole = estimate_layout(twice, half.model_copy(update={"dp": 2 * half.dp, "shard": half.dp * half.cp}))
    for part, seconds in whole.time_parts_s.items():
        if part != "dp_comm":
            assert mix.time_parts_s[part] == pytest.approx(seconds, rel=1e-9, abs=1e-12), part
    # The mix lets the sum between the halves hide only where gathering parameters, too, has left room.
    assert 0.998 * whole.step_s <= mix.step_s <= 1.05 * whole.step_s


def test_shares_are_ones_that_the_software_can_run() -> None:
    rng = random.Random(7)
    for _ in range(5):
        pools = random_pools(rng)
        mix = joined(pools, random_link(rng))
        for pool, part in zip(pools, mix.parts, strict=True):
            setting = searched(pool).setting
            work = WORK.model_copy(update={"global_batch": part.sequences})
            case = Case(TINY, setting.cluster, work, setting.end_layers)
            assert runs_on(case, part.layout)[setting.stack.framework] == ""


@given(
    st.integers(20, 400),
    st.lists(
        st.builds(Pace, st.integers(1, 8), st.floats(0, 5), st.floats(0.01, 3), st.integers(1, 2)),
        min_size=2,
        max_size=4,
    ),
)
def test_any_division_is_below_the_pools_alone_and_above_its_bound(batch: int, paces: list[Pace]) -> None:
    found = divide_batch(batch, paces)
    if found is None:
        return
    alone = sum(batch / float(pace.step_s(np.array(batch / pace.sequences))) for pace in paces)
    assert batch / found.step_s <= alone * (1 + 1e-9)
    assert found.step_s >= division_bound_s(batch, paces) * (1 - 1e-9)


def test_a_mix_compares_its_joins_with_the_best_pool_alone() -> None:
    clusters = {pool: catalog.cluster(pool) for pool in ("h100:16", "a100:16")}
    result = mix_training(TINY, clusters, WORK, LongLink(distance=1e5, bandwidth=1e12))
    assert {estimate.join for estimate in result.joined} == {"data", "pipeline"}
    assert result.best.step_s == min(estimate.step_s for estimate in result.joined)
    fastest = max(result.alone, key=lambda pool: pool.tokens_per_s or 0.0)
    for estimate in result.joined:
        assert estimate.best_alone == fastest.pool == "h100:16"
        assert estimate.gain_fraction == pytest.approx(estimate.tokens_per_s / (fastest.tokens_per_s or 1.0) - 1)
