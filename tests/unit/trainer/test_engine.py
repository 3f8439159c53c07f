"""One step on one rank."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trainer_runs import MODEL, configuration

torch = pytest.importorskip("torch", reason="needs the extra `train`")
dist = pytest.importorskip("torch.distributed")

import myriad.catalog as catalog  # noqa: E402
from myriad.spec.trainer import TrainerConfig, TrainerOptimizer  # noqa: E402
from myriad.trainer.data import open_text  # noqa: E402
from myriad.trainer.engine import Engine, learning_rate  # noqa: E402
from myriad.trainer.model import build, token_loss  # noqa: E402
from myriad.trainer.model.reduced import reduced  # noqa: E402
from myriad.trainer.parallel import Place, join  # noqa: E402


@pytest.fixture
def place() -> Iterator[Place]:
    yield join(small(), {})
    dist.destroy_process_group()


def small(**changed: Any) -> TrainerConfig:
    model = MODEL | {"layers": [["dense", 1]]}
    return configuration(Path("run"), **{"model": model, "seq_len": 16, "global_batch": 4} | changed)


def sequences() -> Any:
    return torch.from_numpy(open_text(None, 16, 0).sequences(0, 4))


@pytest.mark.parametrize("clip_norm", [0.0, 0.5])
def test_gradients_are_those_of_the_mean_over_all_tokens(clip_norm: float, place: Place) -> None:
    """Of micro-batches together, and scaled down where their norm is too large."""
    config = small(optimizer={"clip_norm": clip_norm}, layout={"micro_batch": 1})
    rows = sequences()
    whole = build(config.model)
    loss = token_loss(whole(rows[:, :-1]), rows[:, 1:])
    loss.backward()
    norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in whole.parameters()])
    assert norm > 0.5
    engine = Engine(config, place)
    found: dict[str, Any] = {}
    (part,), (optimizer,) = engine.parts, engine._optimizers
    optimizer.register_step_pre_hook(
        lambda *_: found.update((name, parameter.grad.clone()) for name, parameter in part.named_parameters())
    )
    trained = engine.train_step(rows, 1)
    assert trained.loss.item() == pytest.approx(loss.item(), rel=1e-6)
    assert trained.gradient_norm.item() == pytest.approx(norm.item(), rel=1e-5)
    scale = 0.5 / norm if clip_norm else 1.0
    for name, parameter in whole.named_parameters():
        assert torch.allclose(found[name], parameter.grad * scale, rtol=1e-4, atol=1e-8)


def test_settings_of_the_optimizer_are_those_of_the_configuration(place: Place) -> None:
    """They may change from one life of a run to the next; what it has learned stays."""
    trained = Engine(small(), place)
    trained.train_step(sequences(), 1)
    found = Engine(small(optimizer={"weight_decay": 0.5, "beta1": 0.8, "beta2": 0.9}), place)
    found.restore(trained.state())
    (optimizer,) = found._optimizers
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.5, 0.0}
    assert {group["betas"] for group in optimizer.param_groups} == {(0.8, 0.9)}
    assert {state["step"].item() for state in optimizer.state.values()} == {1.0}


def test_matrices_decay_and_nothing_else(place: Place) -> None:
    engine = Engine(small(model=reduced(catalog.model("gpt-oss-120b")).model_dump(mode="json")), place)
    (optimizer,) = engine._optimizers
    decays = {id(p) for group in optimizer.param_groups for p in group["params"] if group["weight_decay"]}
    spared = [name for name, parameter in engine.parts[0].named_parameters() if id(parameter) not in decays]
    assert {name.rpartition(".")[2] for name in spared} >= {"up_bias", "gate_bias", "down_bias", "bias", "sinks"}
    assert all(name.endswith(("bias", "sinks", "norm.weight")) for name in spared)
    assert len(decays) + len(spared) == len(list(engine.parts[0].parameters()))


@pytest.mark.parametrize(("step", "expected"), [(1, 0.1), (5, 0.5), (10, 1.0), (60, 0.55), (110, 0.1), (200, 0.1)])
def test_the_learning_rate_warms_up_and_decays_to_a_tenth(step: int, expected: float) -> None:
    optimizer = TrainerOptimizer(learning_rate=1.0, warmup_steps=10)
    assert learning_rate(optimizer, step, steps=110) == pytest.approx(expected)


def test_without_a_warm_up_the_decay_begins_at_once() -> None:
    assert learning_rate(TrainerOptimizer(learning_rate=1.0, warmup_steps=0), 1, steps=1) == pytest.approx(0.1)
