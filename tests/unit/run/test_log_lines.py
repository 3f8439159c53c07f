"""What Megatron-LM and torchtitan print, as events: lines as their sources format them."""

from __future__ import annotations

from pathlib import Path

import pytest

from myriad.run.described import RunFolder
from myriad.run.log_lines import LogReader, log_reader
from myriad.run.log_tail import LogTail, log_tail
from myriad.spec.run import RankEvent
from myriad.spec.training_launch import JobLaunch
from run_fixtures import small_launch

MEGATRON = """\
> finished creating GPT datasets ...
[after dataloaders are built] datetime: 2026-11-21 10:00:01
training ...
[before the start of training step] datetime: 2026-11-21 10:00:02
Number of parameters in transformer block in billions:  0.10
 [2026-11-21 10:00:05] iteration        1/      20 | consumed samples:           16 | elapsed time per iteration (ms): 2900.5 | throughput per GPU (TFLOP/s/GPU): 12.1 | learning rate: 1.000000E-05 | global batch size:    16 | lm loss: 1.076E+01 | loss scale: 1.0 | grad norm: 5.421 | number of skipped iterations:   0 | number of nan iterations:   0 |
[Rank 0] (after 1 iterations) memory (MB) | allocated: 1001.5 | max allocated: 2002.5 | reserved: 2100.0 | max reserved: 2200.0
 [2026-11-21 10:00:06] iteration        2/      20 | consumed samples:           32 | elapsed time per iteration (ms): 812.4 | throughput per GPU (TFLOP/s/GPU): 42.5 | learning rate: 2.000000E-05 | global batch size:    16 | lm loss: 9.871E+00 | loss scale: 1.0 | grad norm: 4.100 | number of skipped iterations:   0 | number of nan iterations:   0 |
 [2026-11-21 10:00:06] iteration        2/      20 | consumed samples:           32 | elapsed time per iteration (ms): 812.4 | lm loss: 9.871E+00 |
[Rank 8] (after 1 iterations) memory (MB) | allocated: 1001.5 | max allocated: 2002.5 | reserved: 2100.0 | max reserved: 2150.0
  successfully saved checkpoint from iteration       2 to /runs/x [ t 1/1, p 1/1 ]
(min, max) time across ranks (ms):
    save-checkpoint ................................: (1203.10, 1250.42)
 [2026-11-21 10:00:09] iteration        3/      20 | consumed samples:           48 | elapsed time per iteration (ms): 815.0 | lm loss: nan |
W1121 10:00:12 torch/distributed/elastic/agent/server/api.py: Worker group FAILED, restarting
 loading distributed checkpoint from /runs/x at iteration 2
  successfully loaded checkpoint from /runs/x [ t 1/1, p 1/1 ] at iteration 2
[before the start of training step] datetime: 2026-11-21 10:00:30
 [2026-11-21 10:00:31] iteration        3/      20 | consumed samples:           48 | elapsed time per iteration (ms): 814.0 | lm loss: 9.500E+00 |
[after training is done] datetime: 2026-11-21 10:00:33
  successfully saved checkpoint from iteration       3 to /runs/x [ t 1/1, p 1/1 ]
"""  # noqa: E501

BRIDGE = """\
[after dataloaders are built] datetime: 2026-11-21 10:00:02
 [2026-11-21 10:00:05] iteration        1/      20 | consumed samples:           16 | elapsed time per iteration (ms): 2900.5 | lm loss: 1.076000E+01 |
[Rank 0] (after 1 iterations) memory (GB) | mem-allocated-gigabytes: 1.5 | mem-reserved-gigabytes: 2.1 | mem-max-allocated-gigabytes: 2.5 | mem-max-reserved-gigabytes: 2.7345 | mem-alloc-retires: 0
 [2026-11-21 10:00:06] iteration        2/      20 | consumed samples:           32 | elapsed time per iteration (ms): 812.4 | lm loss: 9.871E+00 |
  scheduled an async checkpoint save at iteration       2 to /runs/x
(min, max) time across ranks (ms):
    save-checkpoint ................................: (203.10, 250.00)
 [2026-11-21 10:00:08] iteration        3/      20 | consumed samples:           48 | elapsed time per iteration (ms): 815.0 | lm loss: 9.6E+00 |
 [2026-11-21 10:00:09] iteration        4/      20 | consumed samples:           64 | elapsed time per iteration (ms): 815.0 | lm loss: 9.5E+00 |
  successfully saved checkpoint from iteration       2 to /runs/x [ t 1/1, p 1/1 ]
 [2026-11-21 10:00:10] iteration        5/      20 | consumed samples:           80 | elapsed time per iteration (ms): 815.0 | lm loss: 9.4E+00 |
  successfully loaded checkpoint from /runs/x [ t 1/1, p 1/1 ] at iteration 2
[after dataloaders are built] datetime: 2026-11-21 10:00:30
 [2026-11-21 10:00:31] iteration        3/      20 | consumed samples:           48 | elapsed time per iteration (ms): 814.0 | lm loss: 9.600E+00 |
  successfully loaded checkpoint from /runs/x [ t 1/1, p 1/1 ] at iteration 3
[after dataloaders are built] datetime: 2026-11-21 10:00:50
"""  # noqa: E501

TITAN = """\
[titan] 2026-11-21 10:00:00,100 - root - INFO - Starting job: Llama 3 debug training
[titan] 2026-11-21 10:00:01,500 - root - INFO - Training starts at step 1
[titan] 2026-11-21 10:00:04,500 - root - INFO - \x1b[31mstep:  1  \x1b[32mloss:  8.22345  \x1b[38;2;180;60;0mgrad_norm:  1.5123  \x1b[38;2;54;234;195mmemory:  1.50GiB(1.88%)  \x1b[34mtps: 2,000  \x1b[36mtflops: 3.10  \x1b[35mmfu: 0.99%\x1b[39m
[titan] 2026-11-21 10:00:05,500 - root - INFO - step:  2  loss:  7.90000  grad_norm:  1.4000  memory:  1.75GiB(2.19%)  tps: 4,096  tflops: 3.10  mfu: 0.99%
[titan] 2026-11-21 10:00:05,510 - root - INFO - Saving the checkpoint (or staging if async is enabled).
[titan] 2026-11-21 10:00:06,760 - root - INFO - Finished saving the checkpoint (or staging if async is enabled)in 1.25 seconds.
[titan] 2026-11-21 10:00:06,800 - root - INFO - Training completed
"""  # noqa: E501


def read(framework: str, text: str, world_size: int = 4) -> list[tuple[int, RankEvent]]:
    reader = LogReader(framework, 16384.0, world_size)  # type: ignore[arg-type]
    return [one for line in text.splitlines() for one in reader.read(line)]


def test_megatron_lines_are_steps_checkpoints_and_lives() -> None:
    found = read("megatron-lm", MEGATRON)
    assert [(restart, one.kind, one.step) for restart, one in found] == [
        (0, "start", 0), (0, "step", 1), (0, "step", 2), (0, "checkpoint", 2), (0, "step", 3), (1, "start", 2),
        (1, "step", 3), (1, "finish", 3),
    ]  # fmt: skip
    events = [one for _, one in found]
    assert (events[1].step_s, events[1].loss, events[1].memory_bytes) == (2.9005, 10.76, None)
    assert (events[2].step_s, events[2].memory_bytes, events[2].tokens) == (0.8124, 2200 * 2**20, 32768)
    assert events[3].blocking_s == pytest.approx(1.25042)
    assert events[4].loss is None, "not a number"
    assert events[2].time_s - events[1].time_s == 1.0
    assert events[3].time_s - events[2].time_s == pytest.approx(1.25042)


def test_bridge_lives_memory_and_saves_in_the_background() -> None:
    found = read("megatron-bridge", BRIDGE)
    assert [(restart, one.kind, one.step) for restart, one in found] == [
        (0, "start", 0), (0, "step", 1), (0, "step", 2), (0, "step", 3), (0, "step", 4), (0, "checkpoint", 2),
        (0, "step", 5), (1, "start", 2), (1, "step", 3), (2, "start", 3),
    ]  # fmt: skip
    saved = found[5][1]
    assert (saved.blocking_s, saved.write_s) == (0.25, 3.0)
    assert saved.time_s == found[4][1].time_s
    assert found[2][1].memory_bytes == 2_734_500_000


def test_a_save_without_a_time_is_told_with_the_next_step() -> None:
    text = "\n".join(line for line in MEGATRON.splitlines() if "save-checkpoint" not in line)
    (saved,) = [one for _, one in read("megatron-lm", text) if one.kind == "checkpoint"]
    assert (saved.step, saved.blocking_s, saved.write_s) == (2, None, None)


def test_torchtitan_does_not_say_when_a_save_in_the_background_is_written() -> None:
    reader = LogReader("torchtitan", 16384.0, 4, asynchronous=True)
    found = [event for line in TITAN.splitlines() for _, event in reader.read(line)]
    (saved,) = [one for one in found if one.kind == "checkpoint"]
    assert (saved.blocking_s, saved.write_s) == (1.25, None)


def test_torchtitan_lines_give_step_times_from_tokens_per_second() -> None:
    found = read("torchtitan", TITAN)
    assert [(one.kind, one.step) for _, one in found] == [
        ("start", 0), ("step", 1), ("step", 2), ("checkpoint", 2), ("finish", 2),
    ]  # fmt: skip
    events = [one for _, one in found]
    assert events[2].step_s == pytest.approx(16384 / (4096 * 4))
    assert (events[1].loss, events[2].memory_bytes) == (8.22345, int(1.75 * 2**30))
    assert events[3].blocking_s == 1.25
    assert events[3].time_s - events[2].time_s == pytest.approx(1.26)


def test_a_tail_goes_on_where_another_was_killed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.logs.mkdir()
    log = folder.logs / "001.log"
    lines = MEGATRON.splitlines(keepends=True)
    assert LogTail(folder, 1, LogReader("megatron-lm", 16384.0, 4)).poll() == 0
    log.write_text("".join(lines[:7]) + lines[7][:40])  # a line without its end
    first = LogTail(folder, 1, LogReader("megatron-lm", 16384.0, 4))
    assert (first.poll(), first.poll()) == (2, 0)
    log.write_text("".join(lines))
    second = LogTail(folder, 1, LogReader("megatron-lm", 16384.0, 4))
    assert second.poll() == 6
    kinds = {
        life: [
            RankEvent.model_validate_json(line).kind
            for line in (folder.events / life / "rank-00000.jsonl").read_text().splitlines()
        ]
        for life in ("001.000", "001.001")
    }
    assert kinds == {"001.000": ["start", "step", "step", "checkpoint", "step"], "001.001": ["start", "step", "finish"]}


def test_only_frameworks_that_print_are_read(tmp_path: Path) -> None:
    launch = small_launch()
    assert log_reader(launch.model_copy(update={"launch": JobLaunch(framework="reference")})) is None
    titan = launch.model_copy(update={"launch": JobLaunch(framework="torchtitan@0.2.2")})
    assert log_reader(titan) is not None
    assert log_tail(RunFolder(tmp_path), 0, titan) is not None
