import pytest

from myriad.errors import InfeasibleError
from myriad.estimate.schedule.of_layout import layout_timeline
from myriad.estimate.training import estimate_layout, layout_operations
from myriad.spec.layout import Layout
from myriad.spec.model import Model
from small_setting import dense_model, moe_model, setting, stack

OUTSIDE = ("dp_comm", "optimizer", "overhead", "bubble", "pp_comm")


def equal() -> Model:
    """Equal layers and a vocabulary of nothing: what is left at the ends is a pass over the activations."""
    return dense_model().model_copy(update={"vocab": 1})


@pytest.mark.parametrize(
    "layout",
    [{"pp": 4}, {"pp": 4, "vpp": 2}, {"pp": 2, "schedule": "gpipe"}, {"pp": 4, "schedule": "zero-bubble"},
     {"pp": 4, "vpp": 2, "schedule": "zb-v"}, {"pp": 4, "schedule": "dualpipe"}, {}, {"pp": 4, "split": (1, 2, 2, 3)},
     {"pp": 2, "vpp": 2, "split": (3, 2, 2, 1)}, {"pp": 2, "vpp": 2, "schedule": "zb-v", "split": (3, 2, 2, 1)}],
)  # fmt: skip
def test_the_slowest_stage_computes_as_long_as_estimated(layout):
    for model in (dense_model(), moe_model(), moe_model(mtp_depths=1, mtp_block="moe")):
        chosen = setting(model)
        one = Layout(**layout)
        estimate = estimate_layout(chosen, one)
        found = layout_timeline(chosen, one).found
        inner = sum(v for part, v in estimate.time_parts_s.items() if part not in OUTSIDE)
        assert found.busy_s.max() == pytest.approx(inner)
        assert sum(op.seconds_per_step for op in layout_operations(chosen, one)) == pytest.approx(
            inner - estimate.time_parts_s["host"]
        )


@pytest.mark.parametrize(
    "layout",
    [{"pp": 4}, {"pp": 4, "vpp": 2}, {"pp": 2, "schedule": "gpipe"}, {"pp": 4, "schedule": "zero-bubble"},
     {"pp": 4, "vpp": 2, "schedule": "zb-v"}, {"pp": 4, "schedule": "dualpipe"}],
)  # fmt: skip
def test_without_transfers_nearly_equal_chunks_take_nearly_what_is_estimated(layout):
    chosen, one = setting(equal()), Layout(**layout)
    parts = estimate_layout(chosen, one).time_parts_s
    made = layout_timeline(chosen, one)
    inner = sum(v for part, v in parts.items() if part not in OUTSIDE)
    assert made.without_transfers().makespan_s == pytest.approx(inner + parts["bubble"], rel=0.015)
    assert made.found.makespan_s > made.without_transfers().makespan_s


def test_prediction_depths_apart_from_the_head_take_their_time_where_they_are():
    chosen = setting(moe_model(mtp_depths=1, mtp_block="moe"))
    one = Layout(pp=4, split=(2, 2, chosen.model.num_layers - 3, 0))
    loads = [stage.micro_batch_s for stage in estimate_layout(chosen, one).stages]
    times = layout_timeline(chosen, one).times
    assert times.forward_s + times.input_grad_s + times.weight_grad_s == pytest.approx(loads)


def test_chunks_hold_what_their_stages_hold():
    """Activations of all chunks of a stage are those of the estimate, for the micro-batches in flight there."""
    chosen = setting(stack=stack(stage_outputs="in-flight"))
    made = layout_timeline(chosen, Layout(pp=4, vpp=2))
    one = layout_timeline(chosen, Layout(pp=4))
    assert made.activation_bytes.reshape(2, 4).sum(axis=0)[:3] == pytest.approx(
        one.activation_bytes[:3] + 2 * 4096 * 1024, rel=1e-9
    )


def test_transfers_hold_the_sender_for_what_does_not_overlap():
    plain = layout_timeline(setting(), Layout(pp=4)).transfers
    hidden = layout_timeline(setting(stack=stack(pp_overlap=0.9)), Layout(pp=4)).transfers
    assert plain.holds_fraction == 1.0
    assert hidden.holds_fraction == pytest.approx(0.1)
    assert plain.boundary_s.tolist() == [2 * 4096 * 1024 / 400e9] * 3


def test_equal_chunks_are_known():
    assert not layout_timeline(setting(), Layout(pp=4)).even
    assert layout_timeline(setting(), Layout()).even


def test_too_few_layers_are_refused():
    with pytest.raises(InfeasibleError, match="8 layers cannot fill 16 pipeline chunks"):
        layout_timeline(setting(), Layout(pp=8, vpp=2))
