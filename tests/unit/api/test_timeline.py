import numpy as np
import pytest

from myriad.api import estimate_training, shortened, timeline_of
from myriad.api.step_timeline import step_timeline
from myriad.spec.job import TrainingWork
from myriad.spec.layout import Layout
from small_setting import dense_model, setting


def test_parts_sum_by_timeline_and_by_closed_form():
    found = step_timeline("mine", setting(), Layout(pp=4))
    assert found.pipeline_s == pytest.approx(found.busy_s + found.bubble_s + found.transfers_s)
    assert found.closed_pipeline_s == pytest.approx(
        found.closed_busy_s + found.closed_bubble_s + found.closed_transfers_s
    )
    assert found.step_s - found.estimated_step_s == pytest.approx(found.pipeline_s - found.closed_pipeline_s)
    assert found.within_closed_form
    assert not found.equal_chunks
    for stage in found.stages:
        assert stage.busy_s + stage.held_s + stage.idle_s == pytest.approx(found.pipeline_s)
        assert stage.peak_micro_batches == 4 - stage.stage
        assert stage.peak_activation_bytes == max(stage.held_bytes)


def test_few_micro_batches_leave_the_closed_form():
    assert not step_timeline("mine", setting(), Layout(pp=4, vpp=2, dp=32)).within_closed_form


def test_a_long_step_is_shortened_to_start_middle_and_end():
    whole = step_timeline("mine", setting(dense_model(16)), Layout(pp=4, vpp=2))
    assert shortened(whole, 10_000) is whole
    part = shortened(whole, 120)
    assert len(part.windows_s) == 3
    assert 120 <= len(part.operations.kind) <= 120 + 6 * 4
    assert part.windows_s[0][0] == 0.0
    assert part.windows_s[-1][1] == whole.pipeline_s
    ends = [time for window in part.windows_s for time in window]
    assert ends == sorted(ends)
    starts, stops = np.array(part.operations.start_s), np.array(part.operations.end_s)
    inside = [(starts < end) & (stops > begin) for begin, end in part.windows_s]
    assert np.any(inside, axis=0).all()
    assert {*part.operations.micro_batch} >= {0, 63}
    for before, after in zip(whole.stages, part.stages, strict=True):
        assert after.peak_activation_bytes == before.peak_activation_bytes
        for begin, _ in part.windows_s:
            at = np.searchsorted(before.held_time_s, begin, "right") - 1
            level = before.held_bytes[at] if at >= 0 else 0.0
            assert after.held_bytes[after.held_time_s.index(begin)] == level or begin == 0.0


def test_an_estimate_names_the_step_of_its_timeline():
    """Where chunks are equal and transfers wait for nothing the two agree; one stage has no timeline."""
    work = TrainingWork(seq_len=4096, global_batch=64)
    one = Layout(tp=8, pp=4, dp=2, micro_batch=1)
    found = estimate_training("llama3.1-70b", "h100:64", one, work)
    assert found.timeline_step_s == pytest.approx(timeline_of("llama3.1-70b", "h100:64", one, work).step_s)
    assert found.timeline_step_s == pytest.approx(found.step_s, rel=0.05)
    assert estimate_training("llama3.1-8b", "h100:8", Layout(tp=8), work).timeline_step_s is None
