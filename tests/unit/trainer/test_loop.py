"""One rank's way through a run, in this process."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trainer_runs import MODEL, configuration, events, losses, token_sums

torch = pytest.importorskip("torch", reason="needs the extra `train`")
dist = pytest.importorskip("torch.distributed")

from torch.distributed import _functional_collectives as functional  # noqa: E402

from myriad.errors import InfeasibleError, SpecError  # noqa: E402
from myriad.spec.trainer import TrainerConfig  # noqa: E402
from myriad.trainer.data import open_text  # noqa: E402
from myriad.trainer.events import EventLog  # noqa: E402
from myriad.trainer.loop import UNSAVED, Loop  # noqa: E402
from myriad.trainer.parallel import join  # noqa: E402

SMALL = MODEL | {"layers": [["dense", 1]]}


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    handler, wait, wait_tensor = signal.getsignal(signal.SIGTERM), dist.Work.wait, functional.wait_tensor
    yield
    signal.signal(signal.SIGTERM, handler)
    dist.Work.wait, functional.wait_tensor = wait, wait_tensor
    if dist.is_initialized():
        dist.destroy_process_group()


def small(folder: Path, **changed: Any) -> TrainerConfig:
    return configuration(folder, **{"model": SMALL, "seq_len": 16, "global_batch": 2, "steps": 4} | changed)


def run(config: TrainerConfig) -> int:
    text = open_text(config.data.text, config.seq_len, config.data.seed)
    with EventLog(Path(config.folder), "000.000", 0) as log:
        try:
            return Loop(config, join(config, {}), text, log).run(time.monotonic())
        finally:
            dist.destroy_process_group()


def test_a_run_whose_last_step_was_not_saved_has_not_finished(tmp_path: Path) -> None:
    config = small(tmp_path, checkpoint={"every_steps": 2})
    in_the_way = tmp_path / "checkpoints" / "step-00000004.part"
    in_the_way.parent.mkdir()
    in_the_way.write_text("a file where the folder should be")
    assert run(config) == UNSAVED
    assert events(tmp_path)[-1].kind == "error"
    in_the_way.unlink()
    assert run(config) == 0
    found = events(tmp_path)
    assert [event.step for event in found if event.kind == "start"] == [0, 2]
    assert (found[-1].kind, found[-1].step) == ("finish", 4)
    assert len(losses(found)) == 4
    assert run(config) == 0  # again, of nothing that is left to do


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_what_diverges_ends_in_one_line_and_is_not_saved(clip_norm: float, tmp_path: Path) -> None:
    optimizer = {"learning_rate": 1e38, "warmup_steps": 0, "clip_norm": clip_norm, "weight_decay": 0.0}
    config = small(tmp_path, optimizer=optimizer, checkpoint={"every_steps": 1}, steps=50)
    with pytest.raises(InfeasibleError, match=r"norm of gradients (nan|inf): training has diverged"):
        run(config)
    found = events(tmp_path)
    last = max(event.step or 0 for event in found if event.kind == "checkpoint")
    assert found[-1].kind == "error"
    assert found[-1].step == last + 1
    assert max(losses(found)) == last


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"seq_len": 8}, r"seq_len: .*step-00000002 was made with 16, not 8; name another folder"),
        ({"global_batch": 4}, "global_batch: .* was made with 2, not 4"),
        ({"data": {"seed": 1}}, "data: .* was made with another"),
        ({"model": SMALL | {"hidden": 32}}, "model: .* was made with another"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(changed: dict[str, Any], expected: str, tmp_path: Path) -> None:
    assert run(small(tmp_path, steps=2)) == 0
    with pytest.raises(SpecError, match=expected) as error:
        run(small(tmp_path, **changed))
    assert "\n" not in str(error.value)


def test_a_text_is_known_by_its_bytes_and_not_by_its_path(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_bytes(bytes(range(256)) * 8)
    assert run(small(tmp_path, steps=2, data={"text": str(text)})) == 0
    moved = text.rename(tmp_path / "moved")
    assert run(small(tmp_path, steps=3, model=SMALL | {"name": "renamed"}, data={"text": str(moved)})) == 0
    moved.write_bytes(bytes(reversed(range(256))) * 8)
    with pytest.raises(SpecError, match=r"data: .* was made with another"):
        run(small(tmp_path, data={"text": str(moved)}))


def test_a_run_goes_on_with_the_bits_that_it_stopped_with(tmp_path: Path) -> None:
    whole = small(tmp_path / "whole", checkpoint={"every_steps": 1, "asynchronous": True})
    assert run(whole) == 0
    parts = small(tmp_path / "parts", checkpoint={"every_steps": 3})
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "control.json").write_text('{"stop_after_step": 2}')
    assert run(parts) == 0
    (tmp_path / "parts" / "control.json").unlink()
    assert run(parts) == 0
    found = events(tmp_path / "parts")
    assert [event.step for event in found if event.kind == "start"] == [0, 2]
    assert losses(found) == losses(events(tmp_path / "whole"))
    assert token_sums(found) == token_sums(events(tmp_path / "whole"))


def test_ranks_beyond_the_gpus_of_their_node_are_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"device: cuda, but 99 ranks were started where PyTorch sees \d+ GPUs"):
        join(small(tmp_path, device="cuda"), {"LOCAL_WORLD_SIZE": "99"})
