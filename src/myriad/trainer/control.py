"""What the supervisor asks of a trainer that runs, and what rank 0 decides from it for all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from myriad.spec.trainer import TrainerCheckpoint, TrainerControl


class ControlFile:
    """The control file as it was when it was last understood."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._control = TrainerControl()
        self._trouble: str | None = None

    def read(self) -> tuple[TrainerControl, str | None]:
        """What is asked now; and what is wrong with the file, told once.

        Without a file nothing is asked; one that cannot be understood leaves what was asked before.
        """
        trouble = None
        try:
            self._control = TrainerControl.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            self._control = TrainerControl()
        except OSError as error:
            trouble = f"{self._path.name}: cannot be read: {(error.strerror or str(error)).lower()}"
        except ValidationError as error:
            trouble = f"{self._path.name}: {error.errors(include_url=False)[0]['msg']}"
        new = trouble if trouble != self._trouble else None
        self._trouble = trouble
        return self._control, new


@dataclass(frozen=True)
class Decision:
    """What follows a step."""

    save: bool
    stop: bool


def decide(
    checkpoint: TrainerCheckpoint, control: TrainerControl, step: int, steps: int, since_last_s: float, busy: bool
) -> Decision:
    """What follows this step. `since_last_s` counts from the end of the last checkpoint.

    While one is being written in the background (`busy`), the cadence begins no other; a demand and the end wait
    for it.
    """
    interval_s = control.checkpoint_interval_s if control.checkpoint_interval_s is not None else checkpoint.interval
    by_time = interval_s is not None and since_last_s >= interval_s
    by_steps = checkpoint.every_steps is not None and step % checkpoint.every_steps == 0
    stop = step >= steps or (control.stop_after_step is not None and step >= control.stop_after_step)
    return Decision(
        save=stop or control.checkpoint_at_step == step or ((by_time or by_steps) and not busy),
        stop=stop,
    )
