"""Checkpoints that are whole or not there: written beside, completed by a manifest, renamed at last.

    checkpoints/step-00000040/            of PyTorch's distributed checkpoint, and
    checkpoints/step-00000040/manifest.json   step, what it belongs to, size and CRC-32 of every file

A folder is named `.part` until its manifest is on disk, and again before it is removed. Whoever reads one sums all
files again first.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
import zlib
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch.distributed as dist
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.utils._pytree import tree_map

from myriad.errors import SpecError

FORMAT: Final = "myriad-checkpoint-1"
MANIFEST: Final = "manifest.json"
MANIFEST_KEYS: Final = {"format", "step", "belongs_to", "files"}
METADATA: Final = ".metadata"
"""PyTorch's own file: what lies where in the others."""
_NAME: Final = re.compile(r"step-\d{8,}")
_READ_BYTES: Final = 1 << 22


@dataclass(frozen=True)
class Written:
    """A checkpoint as it came out; `failure` says in one line why it did not."""

    step: int
    write_s: float
    """From the call until it could be read back."""
    bytes: int
    failure: str | None = None


@dataclass(frozen=True)
class Found:
    """The newest whole checkpoint, and what is wrong with newer ones."""

    folder: Path | None
    step: int
    belongs_to: Mapping[str, Any]
    skipped: tuple[str, ...]


class Checkpoints:
    """The checkpoints of one run, as all of its ranks write and read them together.

    Calls are collective. At most one is being written at a time, in a thread with a process group of its own where
    it is asynchronous.
    """

    def __init__(self, folder: Path, keep: int, asynchronous: bool, belongs_to: Mapping[str, Any]) -> None:
        self._folder, self._keep, self._belongs_to = folder, keep, dict(belongs_to)
        self._rank, self._size = dist.get_rank(), dist.get_world_size()
        self._group = dist.new_group(backend="gloo")
        self._thread = ThreadPoolExecutor(1, "checkpoint") if asynchronous else None
        self._pending: Future[Written] | None = None
        self._broken: set[str] = set()
        """Names of those that `newest` passed over."""

    @property
    def busy(self) -> bool:
        """Whether one is being written at this moment."""
        return self._pending is not None and not self._pending.done()

    def save(self, state: Mapping[str, Any], step: int) -> None:
        """Writes the state; returns once training may change it again. `finished` has the outcome.

        That of the one before has to have been asked for.
        """
        start = time.perf_counter()
        assert self._pending is None
        self._pending = Future()
        if self._thread is None:
            self._pending.set_result(self._write(state, step, start))
            return
        copied = tree_map(
            lambda value: value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else value, state
        )
        self._pending = self._thread.submit(self._write, copied, step, start)

    def finished(self, wait: bool = False) -> Written | None:
        """The outcome of the last one, told once; `None` while it is being written, unless it is waited for."""
        if self._pending is None or (self.busy and not wait):
            return None
        written, self._pending = self._pending.result(), None
        return written

    def _write(self, state: Mapping[str, Any], step: int, start: float) -> Written:
        name = _name(step)
        part = self._folder / f"{name}.part"
        sums: dict[str, tuple[int, int]] = {}
        failure: str | None = self._from_first(_emptied(part) if self._rank == 0 else None)
        if failure is None:
            try:
                metadata = save(dict(state), storage_writer=FileSystemWriter(part), process_group=self._group)
                # Not what lies in the folder: where nodes do not share it, a rank has to miss the files of others.
                names = sorted({METADATA, *(place.relative_path for place in metadata.storage_data.values())})
                sums = {name: _sum(part / name) for name in names[self._rank :: self._size]}
            except CheckpointException as error:
                failure = _one_line(error)
            except OSError as error:
                failure = f"rank {self._rank}: {Path(error.filename or part).name}: {_one_line(error)}"
        shares: list[Any] = [None] * self._size
        dist.all_gather_object(shares, (sums, failure), group=self._group)
        outcome = self._complete(part, name, step, shares) if self._rank == 0 else None
        failure, size_bytes = self._from_first(outcome)
        return Written(step, time.perf_counter() - start, size_bytes, failure)

    def _from_first(self, value: Any) -> Any:
        """What rank 0 has, on all ranks."""
        values = [value]
        dist.broadcast_object_list(values, src=0, group=self._group)
        return values[0]

    def _complete(self, part: Path, name: str, step: int, shares: list[Any]) -> tuple[str | None, int]:
        failures = [failure for _, failure in shares if failure is not None]
        files = {file: found for sums, _ in shares for file, found in sums.items()}
        try:
            if not failures:
                manifest = {"format": FORMAT, "step": step, "belongs_to": self._belongs_to, "files": files}
                _write_synced(part / MANIFEST, json.dumps(manifest, indent=1).encode())
                shutil.rmtree(self._folder / name, ignore_errors=True)
                part.rename(self._folder / name)
                _sync_folder(self._folder)
        except OSError as error:
            failures.append(_one_line(error))
        if failures:
            shutil.rmtree(part, ignore_errors=True)
            return failures[0], 0
        self._broken.discard(name)
        self._prune()
        return None, sum(size for size, _ in files.values())

    def _prune(self) -> None:
        """Keeps the newest whole ones. Broken ones count for none, though their steps may be later than any other.

        What cannot be removed stays until the next time.
        """
        found = completed(self._folder)
        kept = [folder for folder in found if folder.name not in self._broken][: self._keep]
        for old in (folder for folder in found if folder not in kept):
            part = old.with_name(f"{old.name}.part")
            with suppress(OSError):
                old.rename(part)
            shutil.rmtree(part, ignore_errors=True)

    def newest(self) -> Found:
        """The newest checkpoint whose files all are what its manifest says; every rank sums a share of them."""
        skipped: list[str] = []
        for name in self._from_first([folder.name for folder in completed(self._folder)]):
            folder = self._folder / name
            manifest, trouble = _read_manifest(folder)
            if manifest is not None:
                trouble = _broken(folder, manifest["files"], self._rank, self._size)
            troubles: list[Any] = [None] * self._size
            dist.all_gather_object(troubles, trouble, group=self._group)
            if not any(troubles) and manifest is not None:
                return Found(folder, manifest["step"], manifest["belongs_to"], tuple(skipped))
            skipped.append(f"{name} was skipped: {next(filter(None, troubles))}")
            self._broken.add(name)
        return Found(None, 0, {}, tuple(skipped))

    def load(self, state: dict[str, Any], folder: Path) -> None:
        """Fills the state, whichever layout the checkpoint was written by.

        Raises SpecError where it lacks what the model needs, or cannot be read.
        """
        try:
            load(state, storage_reader=FileSystemReader(folder), process_group=self._group)
        except CheckpointException as error:
            raise SpecError(f"{folder}: cannot be read: {_one_line(error)}") from None

    def close(self) -> None:
        """Waits for the last one."""
        if self._thread is not None:
            self._thread.shutdown()


def _name(step: int) -> str:
    return f"step-{step:08d}"


def completed(folder: Path) -> list[Path]:
    """Checkpoints that were completed, the newest first."""
    return sorted((found for found in folder.glob("step-*") if _NAME.fullmatch(found.name)), reverse=True)


def _emptied(part: Path) -> str | None:
    """Makes an empty folder, and room: removes what earlier lives left behind half written. What prevented it."""
    try:
        for left in part.parent.glob("step-*.part"):
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(parents=True)
    except OSError as error:
        return _one_line(error)
    return None


def _sum(path: Path) -> tuple[int, int]:
    crc = size = 0
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            crc, size = zlib.crc32(block, crc), size + len(block)
    return size, crc


def _broken(folder: Path, files: Mapping[str, Any], rank: int, size: int) -> str | None:
    for name in sorted(files)[rank::size]:
        expected = tuple(files[name])
        try:
            found = _sum(folder / name)
        except OSError as error:
            return _one_line(error)
        if found[0] != expected[0]:
            return f"{name} has {found[0]} bytes, not {expected[0]}"
        if found != expected:
            return f"{name} is not what was written"
    return None


def _read_manifest(folder: Path) -> tuple[dict[str, Any] | None, str | None]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        return None, f"{MANIFEST}: {_one_line(error)}"
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or manifest.keys() != MANIFEST_KEYS:
        return None, f"{MANIFEST} is not of {FORMAT}"
    step = manifest["step"]
    if not isinstance(step, int) or _name(step) != folder.name:
        return None, f"{MANIFEST} is of step {step}"
    return manifest, None


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _one_line(error: BaseException) -> str:
    if isinstance(error, CheckpointException):
        rank, (cause, _) = min(error.failures.items())
        return f"rank {rank}: {_one_line(cause)}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return next(iter(str(error).splitlines()), type(error).__name__)
