from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
dist = pytest.importorskip("torch.distributed")

from torch.distributed.device_mesh import init_device_mesh  # noqa: E402
from torch.distributed.tensor import Shard, distribute_tensor  # noqa: E402

from myriad.trainer import checkpoint  # noqa: E402
from myriad.trainer.checkpoint import Checkpoints  # noqa: E402


@pytest.fixture(autouse=True)
def group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def state(value: float) -> dict[str, Any]:
    return {"model": {"weight": torch.full((100, 10), value)}, "random": torch.get_rng_state()}


def checkpoints(folder: Path, asynchronous: bool = False) -> Checkpoints:
    return Checkpoints(folder, keep=2, asynchronous=asynchronous, belongs_to={"seq_len": 8})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("step-"))


def saved(folder: Path, *steps: int) -> Checkpoints:
    found = checkpoints(folder)
    for step in steps:
        found.save(state(float(step)), step)
        written = found.finished()
        assert written is not None
        assert written.failure is None
        assert written.bytes > 4000
    return found


def test_the_newest_are_kept_and_the_newest_is_read(tmp_path: Path) -> None:
    found = saved(tmp_path, 1, 2, 10)
    assert names(tmp_path) == ["step-00000002", "step-00000010"]
    newest = found.newest()
    assert (newest.step, newest.belongs_to, newest.skipped) == (10, {"seq_len": 8}, ())
    assert newest.folder is not None
    into = state(0.0)
    found.load(into, newest.folder)
    assert (into["model"]["weight"] == 10.0).all()


def test_the_manifest_names_every_file(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    folder = tmp_path / "step-00000001"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert ".metadata" in manifest["files"]
    assert all((folder / name).stat().st_size == size for name, (size, _) in manifest["files"].items())


def cut_short(folder: Path) -> None:
    path = next(folder.glob("*.distcp"))
    path.write_bytes(path.read_bytes()[:-1])


def change(folder: Path) -> None:
    path = next(folder.glob("*.distcp"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lose(folder: Path) -> None:
    (folder / ".metadata").unlink()


def lose_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def spoil_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"format": "myriad-checkpoint-1"}')


def change_step(folder: Path) -> None:
    file = folder / "manifest.json"
    file.write_text(file.read_text().replace('"step": 2', '"step": 6'))


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (cut_short, "bytes, not"),
        (change, "is not what was written"),
        (lose, "no such file"),
        (lose_manifest, "manifest.json: no such file"),
        (spoil_manifest, "manifest.json is not of myriad-checkpoint-1"),
        (change_step, "manifest.json is of step 6"),
    ],
)
def test_a_broken_one_is_passed_over(damage: Any, expected: str, tmp_path: Path) -> None:
    found = saved(tmp_path, 1, 2)
    damage(tmp_path / "step-00000002")
    newest = found.newest()
    assert newest.step == 1
    (skipped,) = newest.skipped
    assert skipped.startswith("step-00000002 was skipped: ")
    assert expected in skipped


def test_broken_ones_are_no_reason_to_remove_whole_ones(tmp_path: Path) -> None:
    """Those that were passed over may be of later steps than all that follow; they make room for what is whole."""
    saved(tmp_path, 10, 11, 12)
    for broken in ("step-00000011", "step-00000012"):
        change(tmp_path / broken)
    saved(tmp_path / "other", 9)
    (tmp_path / "other" / "step-00000009").rename(tmp_path / "step-00000009")
    again = checkpoints(tmp_path)
    assert again.newest().step == 9
    again.save(state(10.0), 10)
    written = again.finished()
    assert written is not None
    assert written.failure is None
    assert names(tmp_path) == ["step-00000009", "step-00000010"]
    for step in (11, 12):  # of the names of broken ones
        again.save(state(float(step)), step)
        again.finished()
    assert names(tmp_path) == ["step-00000011", "step-00000012"]
    assert again.newest().step == 12


def test_what_was_left_half_written_makes_room(tmp_path: Path) -> None:
    (tmp_path / "step-00000007.part").mkdir(parents=True)
    (tmp_path / "step-00000007.part" / "__0_0.distcp").write_bytes(b"half")
    (tmp_path / "step-00000003.mine").mkdir()
    saved(tmp_path, 1, 2, 3)
    assert names(tmp_path) == ["step-00000002", "step-00000003", "step-00000003.mine"]


def test_an_old_one_that_stays_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = saved(tmp_path, 1, 2)
    rename = Path.rename

    def refuse(path: Path, to: Path) -> Path:
        if path.name == "step-00000001":
            raise PermissionError(13, "Permission denied")
        return rename(path, to)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refuse)
        found.save(state(3.0), 3)
    written = found.finished()
    assert written is not None
    assert written.failure is None
    assert names(tmp_path) == ["step-00000001", "step-00000002", "step-00000003"]
    saved(tmp_path, 4)
    assert names(tmp_path) == ["step-00000003", "step-00000004"]


def test_a_rank_that_does_not_see_a_file_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on nodes that do not share the folder: what was written elsewhere is not here."""
    found = saved(tmp_path, 1)
    save = checkpoint.save

    def elsewhere(*arguments: Any, storage_writer: Any, **options: Any) -> Any:
        metadata = save(*arguments, storage_writer=storage_writer, **options)
        next((tmp_path / "step-00000002.part").glob("*.distcp")).unlink()
        return metadata

    monkeypatch.setattr(checkpoint, "save", elsewhere)
    found.save(state(2.0), 2)
    written = found.finished()
    assert written is not None
    assert written.failure == "rank 0: __0_0.distcp: no such file or directory"
    assert names(tmp_path) == ["step-00000001"]


def test_one_that_was_never_completed_is_not_there(tmp_path: Path) -> None:
    found = saved(tmp_path, 1)
    (tmp_path / "step-00000001").rename(tmp_path / "step-00000001.part")
    assert found.newest().folder is None
    found.save(state(1.0), 1)  # over what is left of it
    assert found.finished() is not None
    assert found.newest().step == 1


def test_what_cannot_be_written_is_said_and_older_ones_stay(tmp_path: Path) -> None:
    found = saved(tmp_path, 1)
    (tmp_path / "step-00000002.part").write_text("a file where the folder should be")
    found.save(state(2.0), 2)
    written = found.finished()
    assert written is not None
    assert written.failure == "file exists"
    assert found.newest().step == 1


def test_training_may_go_on_while_one_is_written(tmp_path: Path) -> None:
    found = checkpoints(tmp_path, asynchronous=True)
    mine = state(1.0)
    mesh = init_device_mesh("cpu", (1,))
    mine["model"]["cut"] = distribute_tensor(torch.full((8, 4), 1.0), mesh, [Shard(0)])
    found.save(mine, 1)
    for value in mine["model"].values():
        value.zero_()
    written = found.finished(wait=True)
    assert written is not None
    assert written.failure is None
    assert found.finished() is None
    found.load(mine, tmp_path / "step-00000001")
    assert (mine["model"]["weight"] == 1.0).all()
    assert (mine["model"]["cut"].to_local() == 1.0).all()
    found.close()
