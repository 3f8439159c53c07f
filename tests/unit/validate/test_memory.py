"""How printed peaks are read."""

from __future__ import annotations

import pytest

from myriad import catalog
from myriad.api.training import setting_of
from myriad.estimate.training import estimate_layout
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from myriad.units import GIB
from myriad.validate.conventions import PeakReading, peak_reading, recompute, switches
from myriad.validate.memory import read_parts_bytes
from myriad.validate.rows import TrainingRow


def row(source: str, **more: object) -> TrainingRow:
    return TrainingRow.model_validate({"id": "a", "source": source, "model": "m", "accelerator": "h100-sxm", **more})


@pytest.fixture(scope="module")
def estimate():
    work = TrainingWork(seq_len=4096, global_batch=64)
    return estimate_layout(setting_of("llama3-8b", "h100:8", work), Layout(tp=2, pp=4))


@pytest.mark.parametrize(
    ("counts", "left_out"),
    [("device", set()), ("reserved", {"reserved"}), ("allocated", {"reserved", "fragmentation"})],
)
def test_sources_count_more_or_less_of_what_is_held(estimate, counts, left_out):
    fullest = max(estimate.memory, key=lambda stage: stage.total_bytes)
    found = read_parts_bytes(estimate, PeakReading(counts))
    assert found == {part: size for part, size in fullest.parts_bytes.items() if part not in left_out}


def test_some_print_the_peak_of_the_last_stage(estimate):
    assert read_parts_bytes(estimate, PeakReading(stage="last")) == estimate.memory[-1].parts_bytes
    assert sum(read_parts_bytes(estimate, PeakReading(stage="last")).values()) < estimate.memory_peak_bytes


def test_torchtitan_prints_gib_that_the_allocator_reserved():
    found = peak_reading(row("torchtitan benchmarks"))
    assert (found.counts, found.stage) == ("reserved", "last")
    assert 1e9 * found.unit == GIB
    assert peak_reading(row("somebody")) == PeakReading()


def test_checkpointing_by_operation_keeps_every_other_product():
    assert recompute(row("torchtitan benchmarks", recompute="selective (per-op SAC)")) == ("every_other_product",)


def test_pipelines_of_2024_joined_their_outputs():
    (switch,) = switches(row("torchtitan benchmarks"))
    assert catalog.stack("torchtitan").stage_outputs == "in-flight"
    assert catalog.stack("torchtitan").switched((switch,)).stage_outputs == "whole-step"


def test_the_sweep_of_bigscience_counted_layers_and_the_final_run_did_not():
    assert switches(row("BigScience 176B topology sweep")) == ("count-layers",)
    assert switches(row("BLOOM-176B final run")) == ()
