from __future__ import annotations

from pathlib import Path

import pytest

from myriad.spec.trainer import TrainerCheckpoint, TrainerControl
from myriad.trainer.control import ControlFile, Decision, decide


def test_the_file_is_read_each_time(tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    control = ControlFile(path)
    assert control.read() == (TrainerControl(), None)
    path.write_text('{"checkpoint_interval_s": 5}')
    assert control.read() == (TrainerControl(checkpoint_interval_s=5), None)
    path.unlink()
    assert control.read() == (TrainerControl(), None)


@pytest.mark.parametrize("content", ["{", '{"checkpoint_intervall_s": 5}', '{"stop_after_step": "soon"}'])
def test_a_file_that_nobody_understands_changes_nothing_and_is_told_once(content: str, tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    path.write_text('{"stop_after_step": 9}')
    control = ControlFile(path)
    control.read()
    path.write_text(content)
    asked, trouble = control.read()
    assert asked.stop_after_step == 9
    assert trouble is not None
    assert trouble.startswith("control.json: ")
    assert control.read() == (asked, None)
    path.write_text("{}")
    assert control.read() == (TrainerControl(), None)


BY_TIME = TrainerCheckpoint(interval=60)
BY_STEPS = TrainerCheckpoint(every_steps=4)


@pytest.mark.parametrize(
    ("checkpoint", "control", "step", "since_s", "busy", "expected"),
    [
        (BY_TIME, {}, 5, 59, False, (False, False)),
        (BY_TIME, {}, 5, 60, False, (True, False)),
        (BY_TIME, {}, 5, 60, True, (False, False)),
        (BY_TIME, {"checkpoint_interval_s": 10}, 5, 10, False, (True, False)),
        (BY_TIME, {"checkpoint_interval_s": 100}, 5, 99, False, (False, False)),
        (BY_STEPS, {}, 8, 1, False, (True, False)),
        (BY_STEPS, {}, 9, 1, False, (False, False)),
        (BY_STEPS, {"checkpoint_at_step": 9}, 9, 1, True, (True, False)),
        (BY_STEPS, {"stop_after_step": 9}, 9, 1, True, (True, True)),
        (BY_STEPS, {"stop_after_step": 3}, 9, 1, False, (True, True)),
        (TrainerCheckpoint(), {}, 99, 1e9, False, (False, False)),
        (TrainerCheckpoint(), {}, 100, 0, True, (True, True)),
    ],
)
def test_what_follows_a_step(
    checkpoint: TrainerCheckpoint,
    control: dict[str, float],
    step: int,
    since_s: float,
    busy: bool,
    expected: tuple[bool, bool],
) -> None:
    asked = TrainerControl.model_validate(control)
    assert decide(checkpoint, asked, step, 100, since_s, busy) == Decision(*expected)
