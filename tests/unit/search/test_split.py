"""Splits of layers over stages, held against all contiguous splits of small rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from myriad.search.interleaved import interleaved_splits
from myriad.search.split import Pipeline, plain_splits


def drawn(random: np.random.Generator, pp: int, vpp: int, layers: int, *, memory: bool) -> Pipeline:
    """A row of up to three kinds, in runs or mixed, with ends; memory that may or may not suffice."""
    number = int(random.integers(1, 4))
    kinds = random.integers(0, number, layers)
    kinds = np.sort(kinds) if random.random() < 0.5 else kinds
    parameters, kept = random.uniform(1, 5, number), random.uniform(0.5, 2, number)
    capacity = random.uniform(0.9, 1.6) * layers / pp * (kept.mean() * pp / 1.5 + 3)

    def missing_bytes(counts: np.ndarray) -> np.ndarray:
        in_flight = pp - np.arange(pp)
        return counts @ parameters + (counts @ kept) * in_flight - capacity

    return Pipeline(
        kinds=kinds,
        kind_s=random.uniform(1, 3, number),
        ends_s=(float(random.uniform(0, 2)), float(random.uniform(0, 5))),
        kind_parameters=parameters,
        ends_parameters=(2.0, 3.0),
        pp=pp,
        vpp=vpp,
        missing_bytes=missing_bytes if memory else None,
    )


def all_sizes(layers: int, chunks: int, first: bool = True) -> Iterator[tuple[int, ...]]:
    if chunks == 1:
        yield (layers,)
        return
    for size in range(0 if first else 1, layers + 1):
        for rest in all_sizes(layers - size, chunks - 1, first=False):
            yield (size, *rest)


def judged(pipeline: Pipeline, sizes: tuple[int, ...]) -> tuple[bool, float, float]:
    """Whether a split fits, its slowest stage and its most parameters, summed layer by layer."""
    pp, stage = pipeline.pp, 0
    seconds, parameters = np.zeros(pp), np.zeros(pp)
    counts = np.zeros((1, pp, len(pipeline.kind_s)), dtype=np.int64)
    position = 0
    for chunk, size in enumerate(sizes):
        stage = chunk % pp
        for kind in pipeline.kinds[position : position + size]:
            seconds[stage] += pipeline.kind_s[kind]
            parameters[stage] += pipeline.kind_parameters[kind]
            counts[0, stage, kind] += 1
        position += size
    for values, ends in ((seconds, pipeline.ends_s), (parameters, pipeline.ends_parameters)):
        values[0] += ends[0]
        values[-1] += ends[1]
    fits = pipeline.missing_bytes is None or bool((pipeline.missing_bytes(counts) <= 0).all())
    return fits, float(seconds.max()), float(parameters.max())


def chunks_are_about_equal(pipeline: Pipeline, sizes: tuple[int, ...]) -> bool:
    """The rule of interleaved splits, in words: within one slowest layer of the mean, see `search.interleaved`."""
    layer_s = pipeline.kind_s[pipeline.kinds]
    mean, slack = (layer_s.sum() + sum(pipeline.ends_s)) / len(sizes), layer_s.max()
    edges = np.cumsum([0, *sizes])
    for chunk, size in enumerate(sizes):
        end = chunk in (0, len(sizes) - 1)
        own = layer_s[edges[chunk] : edges[chunk + 1]].sum()
        own += (chunk == 0) * pipeline.ends_s[0] + (chunk == len(sizes) - 1) * pipeline.ends_s[1]
        alone = chunk == len(sizes) - 2 and size == 1 and sizes[-1] == 0
        if size > (0 if end else 1) and own > mean + slack + 1e-6:
            return False
        if not end and not alone and own < mean - slack - 1e-6:
            return False
    return True


@pytest.mark.parametrize("memory", [False, True])
def test_plain_splits_equal_the_best_of_all(memory):
    random = np.random.default_rng(7)
    unfit = bound_by_memory = 0
    for _ in range(60):
        pp = int(random.integers(1, 5))
        pipeline = drawn(random, pp, 1, int(random.integers(max(pp - 2, 1), 11)), memory=memory)
        every = [(*judged(pipeline, sizes), sizes) for sizes in all_sizes(len(pipeline.kinds), pp)]
        fitting = [one for one in every if one[0]]
        found = plain_splits(pipeline)
        if not fitting:
            unfit += 1
            assert not found
            continue
        fastest = min(one[1] for one in fitting)
        bound_by_memory += fastest > min(one[1] for one in every) + 1e-9
        fits, slowest, most = judged(pipeline, found[0].sizes)
        assert fits
        assert sum(found[0].sizes) == len(pipeline.kinds)
        assert slowest == pytest.approx(fastest, rel=1e-7)
        assert found[0].slowest_s == pytest.approx(fastest, rel=1e-7)
        assert found[0].gap_fraction == 0
        assert most == pytest.approx(min(p for _, s, p, _ in fitting if s <= fastest * (1 + 1e-7)), rel=1e-7)
    assert (bound_by_memory >= 5 and unfit >= 5) if memory else unfit == 0


def test_the_front_holds_what_no_other_split_beats():
    random = np.random.default_rng(11)
    longest = 0
    for _ in range(40):
        pipeline = drawn(random, 4, 1, 9, memory=False)
        every = [judged(pipeline, sizes)[1:] for sizes in all_sizes(9, 4)]
        found = plain_splits(pipeline, slack_s=1e9)
        longest = max(longest, len(found))
        for point in found:
            _, slowest, most = judged(pipeline, point.sizes)
            assert not any(s <= slowest * (1 + 1e-7) and p < most * (1 - 1e-6) for s, p in every)
            assert not any(s < slowest * (1 - 1e-6) and p <= most * (1 + 1e-7) for s, p in every)
        assert [x.slowest_s for x in found] == sorted(x.slowest_s for x in found)
    assert longest >= 3


def test_equal_layers_are_spread_evenly_and_early_stages_hold_fewer():
    row = {"kinds": np.zeros(10, dtype=np.int64), "kind_s": np.ones(1), "kind_parameters": np.ones(1)}
    pipeline = Pipeline(**row, ends_s=(0.0, 0.0), ends_parameters=(0.0, 0.0), pp=4)
    assert plain_splits(pipeline)[0].sizes == (2, 2, 3, 3)
    heavy = Pipeline(**row, ends_s=(0.0, 3.0), ends_parameters=(0.0, 0.0), pp=4)
    assert plain_splits(heavy)[0].sizes == (3, 3, 3, 1)


def test_short_memory_moves_layers_from_early_stages():
    def missing_bytes(counts: np.ndarray) -> np.ndarray:
        return counts[:, :, 0] * np.array([4, 3, 2, 1]) - 9

    pipeline = Pipeline(
        kinds=np.zeros(12, dtype=np.int64), kind_s=np.ones(1), ends_s=(0.0, 0.0), kind_parameters=np.ones(1),
        ends_parameters=(0.0, 0.0), pp=4, missing_bytes=missing_bytes,
    )  # fmt: skip
    assert plain_splits(pipeline)[0].sizes == (2, 3, 3, 4)


@pytest.mark.parametrize("memory", [False, True])
def test_interleaved_splits_with_time_enough_equal_the_best_of_all(memory):
    random = np.random.default_rng(5)
    proven = unfit = 0
    for _ in range(60):
        pp, vpp = int(random.integers(2, 4)), int(random.integers(2, 4))
        layers = int(random.integers(pp * vpp - 2, min(pp * vpp + 5, 12)))
        pipeline = drawn(random, pp, vpp, layers, memory=memory)
        every = [judged(pipeline, s) for s in all_sizes(layers, pp * vpp) if chunks_are_about_equal(pipeline, s)]
        fitting = [slowest for fits, slowest, _ in every if fits]
        found = interleaved_splits(pipeline, nodes=100_000)
        if not fitting:
            unfit += 1
            assert not found
            continue
        fits, slowest, _ = judged(pipeline, found[0].sizes)
        assert fits
        assert chunks_are_about_equal(pipeline, found[0].sizes)
        assert slowest == pytest.approx(min(fitting), rel=1e-7)
        proven += found[0].gap_fraction < 1e-6
        quick = interleaved_splits(pipeline)
        assert not quick or quick[0].bound_s <= min(fitting) * (1 + 1e-7) <= quick[0].slowest_s * (1 + 2e-7)
    assert proven + unfit == 60
    assert unfit < 30


def test_the_quick_way_is_near_the_bound_at_full_size():
    """Moves alone, no search over all splits; 16 rows of two kinds with a head worth several layers."""
    random = np.random.default_rng(3)
    gaps = []
    for pp, vpp, layers in ((4, 6, 70), (8, 3, 61), (16, 2, 61), (4, 8, 96)) * 4:
        kinds = (np.arange(layers) % 7 == 0).astype(np.int64)
        pipeline = Pipeline(
            kinds=kinds, kind_s=random.uniform(1, 1.4, 2), ends_s=(0.1, float(random.uniform(1, 4))),
            kind_parameters=np.ones(2), ends_parameters=(1.0, 1.0), pp=pp, vpp=vpp,
        )  # fmt: skip
        found = interleaved_splits(pipeline)[0]
        assert sum(found.sizes) == layers
        gaps.append(found.gap_fraction)
    assert max(gaps) < 0.1
    assert np.mean(gaps) < 0.03


def test_equal_chunks_but_the_last_are_proposed_beside_the_fastest():
    pipeline = Pipeline(
        kinds=np.array([0] * 3 + [1] * 58), kind_s=np.array([0.7, 1.0]), ends_s=(0.1, 3.0),
        kind_parameters=np.array([1.0, 20.0]), ends_parameters=(1.0, 2.0), pp=8, vpp=2,
    )  # fmt: skip
    found = interleaved_splits(pipeline)
    assert (4,) * 15 + (1,) in [split.sizes for split in found]
    assert found[0].slowest_s <= found[-1].slowest_s


def test_too_few_layers_have_no_interleaved_split():
    def equal(layers: int) -> Pipeline:
        return Pipeline(
            kinds=np.zeros(layers, dtype=np.int64), kind_s=np.ones(1), ends_s=(0.0, 0.0), kind_parameters=np.ones(1),
            ends_parameters=(0.0, 0.0), pp=4, vpp=2,
        )  # fmt: skip

    assert interleaved_splits(equal(5)) == []
    assert interleaved_splits(equal(6))[0].sizes == (0, 1, 1, 1, 1, 1, 1, 0)
