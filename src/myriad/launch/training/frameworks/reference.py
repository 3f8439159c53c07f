"""The reference trainer, `myriad.trainer`: its one file, and what starts it."""

from __future__ import annotations

from typing import Final, Literal

from myriad.errors import SpecError
from myriad.launch.files import File
from myriad.launch.training.frameworks.checkpoints import interval_s
from myriad.launch.training.frameworks.start import HERE, Start
from myriad.spec.calibration import Precision
from myriad.spec.trainer import TrainerCheckpoint, TrainerConfig, TrainerData
from myriad.spec.training_launch import TrainingLaunch

_PRECISIONS: Final[dict[Precision, Literal["fp32", "bf16"]]] = {"fp32": "fp32", "bf16": "bf16"}


def start(launch: TrainingLaunch) -> tuple[Start, tuple[File, ...]]:
    """What each rank runs, and the file that it reads. Raises SpecError for what the trainer does not do."""
    if launch.launch.arguments:
        raise SpecError(f"launch.arguments: found {launch.launch.arguments[0]!r}; the reference trainer takes none")
    words = ("-m", "myriad.trainer", f"{HERE}/trainer.json")
    text = trainer_config(launch).model_dump_json(indent=1, exclude_none=True)
    notes = (
        () if launch.launch.tokenizer is None else ("launch.tokenizer is not read: bytes of launch.data are tokens",)
    )
    return Start(words, elastic=launch.elastic, notes=notes), (File("trainer.json", text + "\n"),)


def trainer_config(launch: TrainingLaunch) -> TrainerConfig:
    """What the trainer is told. `folder` is the working directory, which `start.sh` makes that of the run."""
    work = launch.work
    if work.precision not in _PRECISIONS:
        raise SpecError(
            f"precision: found {work.precision!r}; the reference trainer computes in {' or '.join(_PRECISIONS)}"
        )
    return TrainerConfig(
        model=launch.model,
        layout=launch.layout,
        seq_len=work.seq_len,
        global_batch=work.global_batch,
        steps=launch.steps,
        precision=_PRECISIONS[work.precision],
        device=launch.device,
        data=TrainerData(text=launch.launch.data),
        checkpoint=TrainerCheckpoint(interval=interval_s(launch), asynchronous=launch.checkpoint_asynchronous),
        elastic=launch.elastic,
        folder=".",
    )
