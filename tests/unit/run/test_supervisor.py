"""What a supervisor decides, with a scheduler that does what the test says; database and files are real."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from myriad.run.described import BackendError, RefusedError, Sighting, Submission
from myriad.run.notes import event_text
from myriad.run.readings import run_of, steps_of, submissions_of
from run_fixtures import a_step, small_launch, write_events
from run_story import POLICY, Story
from scripted_backend import RUNNING, ScriptedBackend, ended


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_a_run_that_nothing_happens_to_finishes(story: Story) -> None:
    story.backend.sightings[0] = [Sighting(state="queued", reason="Priority"), story.writes("000.000", 1, 20), ended(0)]
    assert story.supervise() == "finished"
    kinds = [event.kind for event in story.events()]
    assert kinds == ["created", "submitted", "queued", "running", "finished"]
    assert run_of(story.store, story.run).summary.step == 20
    assert story.supervise() == "finished"  # asked again, nothing more happens
    assert len(story.backend.submitted) == 1


@pytest.mark.parametrize(
    ("last", "reason"),
    [(12, "ended by itself at step 12 of 20"), (0, "ended by itself and told of none of its 20 steps")],
)
def test_an_end_that_calls_itself_a_success_says_what_is_odd(story: Story, last: int, reason: str) -> None:
    story.backend.sightings[0] = [story.writes("000.000", 1, last) if last else RUNNING, ended(0)]
    assert story.supervise() == "finished"
    assert story.reason == story.events("finished")[0].text == reason


def test_a_rank_that_is_killed_is_named_and_the_run_goes_on(story: Story) -> None:
    story.backend.sightings[0] = [story.writes("000.000", 1, 12), ended(1)]
    story.backend.sightings[1] = [story.writes("001.000", 11, 20), ended(0)]
    (story.folder / "logs" / "000.log").write_text(
        "W torch/distributed/elastic: failed (exitcode: 1) local_rank: 0 (pid: 100) of binary: python\n"
        "E torch/distributed/elastic: failed (exitcode: -9) local_rank: 2 (pid: 102) of binary: python\n"
    )
    assert story.supervise() == "finished"
    (exit_,) = story.events("exit")
    assert (exit_.rank, exit_.node, exit_.step, exit_.text) == (2, "n2", 12, "rank 2 killed by SIGKILL")
    assert [one.number for one in submissions_of(story.store, story.run)] == [0, 1]
    assert story.backend.cancelled == [f"{story.run}-000"]  # whatever was left of it, before its successor
    assert run_of(story.store, story.run).summary.restarts == 1
    assert [one.step for one in steps_of(story.store, story.run) if one.kept] == list(range(1, 21))


def test_a_rank_of_containers_is_named_though_all_number_their_processes_alike(story: Story) -> None:
    """At once torchrun names the process alone; in its summary, the rank."""

    def fail() -> Sighting:
        for rank in range(4):
            start = {"kind": "start", "step": 0, "host": f"pod-{rank}", "pid": 30, "world_size": 4}
            write_events(story.folder, "000.000", rank, start, a_step(1))
        return ended(1)

    story.backend.sightings[0] = [fail]
    story.backend.sightings[1] = [ended(0)]
    (story.folder / "logs" / "000.log").write_text(
        "E torch/distributed/elastic: failed (exitcode: -9) local_rank: 0 (pid: 30) of binary: python\n"
        "Root Cause (first observed failure):\n[0]:\n  time      : 2026-11-22_00:00:00\n  host      : pod-2\n"
        "  rank      : 2 (local_rank: 0)\n  exitcode  : -9 (pid: 30)\n  error_file: <N/A>\n"
    )
    assert story.supervise() == "finished"
    (exit_,) = story.events("exit")
    assert (exit_.rank, exit_.node, exit_.text) == (2, "pod-2", "rank 2 killed by SIGKILL")


def test_ranks_that_an_agent_started_again_are_a_new_life(story: Story) -> None:
    story.backend.sightings[0] = [
        story.writes("000.000", 1, 5), story.writes("000.001", 4, 9), story.writes("000.002", 8, 20), ended(0)
    ]  # fmt: skip
    (story.folder / "logs" / "000.log").write_text("failed (exitcode: -9) local_rank: 1 (pid: 101) of binary: python\n")
    assert story.supervise() == "finished"
    again = story.events("restart")
    assert [event.life for event in again] == ["000.001", "000.002"]
    assert again[0].text == "rank 1 killed by SIGKILL; the ranks were started again in place"
    assert run_of(story.store, story.run).summary.restarts == 2


def test_a_job_that_never_gets_further_stops_after_its_restarts(story: Story) -> None:
    for number in range(9):
        story.backend.sightings[number] = [story.writes(f"{number:03d}.000", 1, 3, ended(1))]
    begin_s = story.time.now_s
    assert story.supervise() == "failed"
    assert len(story.backend.submitted) == 1 + 1 + POLICY.restarts_without_progress
    assert "failed 4 times without a step further" in story.reason
    assert story.time.now_s - begin_s > 5 + 10  # it waited longer each time
    assert [one.text.split(" in ")[-1] for one in story.events("restart")] == [
        "submitted once more", "submitted once more", "5 s", "10 s"
    ]  # fmt: skip


def test_progress_forgives_earlier_failures(story: Story) -> None:
    for number in range(7):
        story.backend.sightings[number] = [story.writes(f"{number:03d}.000", 1 + number, 2 + number, ended(1))]
    story.backend.sightings[7] = [ended(0)]
    assert story.supervise() == "finished"
    assert len(story.backend.submitted) == 8


def test_a_refusal_of_the_trainer_is_not_tried_again(story: Story) -> None:
    story.backend.sightings[0] = [ended(1)]
    story.write_life("000.000", 1, 0)
    (story.folder / "logs" / "000.log").write_text("failed (exitcode: 2) local_rank: 0 (pid: 100) of binary: python\n")
    write_events(story.folder, "000.000", 0, {"kind": "error", "text": "text: no such file"})
    assert story.supervise() == "failed"
    assert story.reason == "refused by the trainer: rank 0 exit code 2: text: no such file"
    assert len(story.backend.submitted) == 1


def test_a_hang_names_the_ranks_that_are_behind_and_starts_again(story: Story) -> None:
    def hang() -> Sighting:
        if not (story.folder / "events").joinpath("000.000").exists():
            story.write_life("000.000", 1, 6)
            for rank in (0, 1, 2):
                write_events(story.folder, "000.000", rank, a_step(7))
        return RUNNING

    story.backend.sightings[0] = [hang]
    story.backend.sightings[1] = [story.writes("001.000", 5, 20), ended(0)]
    assert story.supervise() == "finished"
    (found,) = story.events("hang")
    assert (found.rank, found.node, found.step) == (3, "n2", 7)
    assert found.text.endswith("rank 3 did not reach step 7")
    assert story.backend.cancelled == [f"{story.run}-000"]


def test_a_hang_names_the_rank_for_which_all_others_say_that_they_wait(story: Story) -> None:
    story.write_life("000.000", 1, 6)
    write_events(story.folder, "000.000", 2, {"kind": "wait", "step": 6})  # long ago

    def wait() -> Sighting:
        if story.time.now_s == 1020:
            for rank in (0, 1, 3):
                write_events(story.folder, "000.000", rank, {"kind": "wait", "step": 7})
        return RUNNING

    story.backend.sightings[0] = [wait]
    story.backend.sightings[1] = [story.writes("001.000", 5, 20), ended(0)]
    assert story.supervise() == "finished"
    (found,) = story.events("hang")
    assert (found.rank, found.node, found.step) == (2, "n2", 6)
    assert found.text.endswith("rank 2 did not come to where all others wait, after step 6")
    assert 30 < float(found.text.split()[2]) < 33  # waits are no progress


def test_a_hang_under_a_scheduler_that_requeues_stays_one_submission(story: Story) -> None:
    story.backend.requeues = True
    story.write_life("000.000", 1, 6)
    again: list[bool] = []

    def look() -> Sighting:
        if story.backend.restarted and not again:
            again.append(True)
            story.write_life("000.001", 5, 20)
            return Sighting(state="running", restarts=1)
        return ended(0) if again else RUNNING

    story.backend.sightings[0] = [look]
    assert story.supervise() == "finished"
    assert len(story.backend.submitted) == len(story.backend.restarted) == 1
    assert [event.kind for event in story.events("hang", "restart")] == ["hang", "restart", "restart"]


def test_ranks_that_never_begin_hang_later_than_steps(story: Story) -> None:
    begin_s = story.time.now_s
    story.backend.sightings[1] = [ended(0)]
    assert story.supervise() == "finished"
    (found,) = story.events("hang")
    assert "no rank has started" in found.text
    assert POLICY.start_floor < story.time.now_s - begin_s < 2 * POLICY.start_floor


def test_long_waits_in_a_queue_are_no_hang(story: Story) -> None:
    waiting = [Sighting(state="queued", reason="Resources")] * 300
    story.backend.sightings[0] = [*waiting, RUNNING, story.writes("000.000", 1, 20), ended(0)]
    assert story.supervise() == "finished"
    assert story.events("hang") == []
    assert len(story.events("queued")) == 1


@pytest.mark.parametrize("killed", [False, True], ids=["one supervisor", "another for each look"])
def test_a_slow_rank_is_named_with_its_node_and_recovers(story: Story, killed: bool) -> None:
    def steps(first: int, slow: bool) -> Callable[[], Sighting]:
        def write() -> Sighting:
            for rank in range(4):
                own_s = 0.08 if slow and rank == 2 else 0.05 + 0.001 * rank
                write_events(story.folder, "000.000", rank, *(a_step(s, own_s=own_s) for s in range(first, first + 6)))
            return RUNNING

        return write

    story.write_life("000.000", 1, 0)
    story.backend.sightings[0] = [RUNNING, steps(1, False), steps(7, True), steps(13, False), ended(0)]
    while killed and story.supervisor().look() != "finished":
        pass
    assert story.supervise() == "finished"
    slow, recovered = story.events("slow-rank", "slow-recovered")
    assert (slow.kind, slow.rank, slow.node, slow.step) == ("slow-rank", 2, "n2", 11)
    assert "1.54 times as long" in slow.text
    assert (recovered.kind, recovered.rank, recovered.step) == ("slow-recovered", 2, 17)


def test_a_failed_node_is_named_and_left_out(story: Story) -> None:
    story.backend.sightings[0] = [
        story.writes("000.000", 1, 4), ended(None, reason="NODE_FAIL", failed_nodes=("n2",))
    ]  # fmt: skip
    story.backend.sightings[1] = [ended(0)]
    assert story.supervise() == "finished"
    (node,) = story.events("node-failed")
    assert (node.node, node.text) == ("n2", "NODE_FAIL")
    assert story.backend.submitted[1].excluded_nodes == ("n2",)


def test_a_node_that_fails_its_check_on_the_cluster_is_named_and_left_out(story: Story) -> None:
    story.backend.sightings[0] = [ended(75)]
    story.backend.sightings[1] = [ended(0)]
    (story.folder / "unhealthy.txt").write_text("0 n7 nvidia-smi lists 7 of 8 accelerators\n")
    assert story.supervise() == "finished"
    (node,) = story.events("unhealthy-node")
    assert (node.submission, node.node, node.text) == (0, "n7", "nvidia-smi lists 7 of 8 accelerators")
    assert story.backend.submitted[1].excluded_nodes == ("n7",)


def test_exclusions_that_leave_too_few_nodes_are_given_up(story: Story) -> None:
    story.backend.submit_errors = [None, RefusedError("more nodes than there are")]
    story.backend.sightings[0] = [ended(None, reason="NODE_FAIL", failed_nodes=("n2",))]
    story.backend.sightings[1] = [ended(0)]
    assert story.supervise() == "finished"
    assert story.backend.submitted[1].excluded_nodes == ()
    assert "refused without n2" in story.events("trouble")[0].text


def test_a_refused_submission_ends_the_run(story: Story) -> None:
    story.backend.submit_errors = [RefusedError("no partition 'gpu'; did you mean 'gpus'?")]
    assert story.supervise() == "failed"
    assert story.reason == "refused: no partition 'gpu'; did you mean 'gpus'?"


def test_a_scheduler_that_does_not_answer_is_asked_again_and_told_of_once(story: Story) -> None:
    down = BackendError("sbatch: unable to contact slurm controller")
    story.backend.submit_errors = [down] * 5
    story.backend.sightings[0] = [RUNNING, down, down, down, story.writes("000.000", 1, 20), ended(0)]
    assert story.supervise() == "finished"
    assert [event.text for event in story.events("trouble")] == [str(down)] * 2  # while submitting, while running
    assert len(story.backend.submitted) == 1


@pytest.mark.parametrize("killed", [False, True])
def test_a_job_that_the_scheduler_takes_in_after_a_look_for_it_is_not_sent_twice(story: Story, killed: bool) -> None:
    @dataclass
    class Hung(ScriptedBackend):
        """It answers no submission; what it was sent, it takes in just after it was looked for."""

        sent: list[Submission] = field(default_factory=list)

        def submit(self, submission: Submission) -> str:
            self.sent.append(submission)
            raise BackendError("sbatch gave no answer within 15 s")

        def find(self, submission: Submission) -> str | None:
            found = super().find(submission)
            self.submitted += self.sent
            self.sent.clear()
            return found

    story.backend = Hung({0: [story.writes("000.000", 1, 20), ended(0)]})
    if killed:
        story.supervisor().look()
    assert story.supervise() == "finished"
    assert len(story.backend.submitted) == 1
    assert [event.kind for event in story.events("submitted", "adopted")] == ["adopted"]


def test_a_submission_that_the_scheduler_forgot_is_made_again(story: Story) -> None:
    story.backend.sightings[0] = [story.writes("000.000", 1, 4), Sighting(state="unknown")]
    story.backend.sightings[1] = [ended(0)]
    assert story.supervise() == "finished"
    assert "no record" in story.events("exit")[0].text


def test_one_that_told_of_its_finish_has_finished_though_the_scheduler_forgot(story: Story) -> None:
    story.write_life("000.000", 1, 20)
    write_events(story.folder, "000.000", 0, {"kind": "finish", "step": 20})
    story.backend.sightings[0] = [Sighting(state="unknown")]
    assert story.supervise() == "finished"
    assert len(story.backend.submitted) == 1


def test_cancelling_ends_the_submission(story: Story) -> None:
    story.backend.sightings[0] = [RUNNING]
    story.time.on_sleep = lambda: story.store.want_cancelled(story.run) if story.time.now_s > 1010 else None
    assert story.supervise() == "cancelled"
    assert story.backend.cancelled == [f"{story.run}-000"]
    assert [event_text(event) for event in story.events()][-2:] == ["cancel", "cancelled: submission 0"]


def test_what_ranks_save_when_they_are_cancelled_is_known(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.backend.sightings[0] = [story.writes("000.000", 1, 4), RUNNING]
    asks, real = [1], story.backend.cancel

    def cancel(handle: str) -> None:
        if asks:
            asks.pop()
            raise BackendError("scancel: no answer")
        write_events(story.folder, "000.000", 0, a_step(5), {"kind": "checkpoint", "step": 5})
        real(handle)

    monkeypatch.setattr(story.backend, "cancel", cancel)
    story.time.on_sleep = lambda: story.store.want_cancelled(story.run) if story.time.now_s > 1010 else None
    assert story.supervise() == "cancelled"
    kinds = [event.kind for event in story.events()][-3:]
    assert kinds == ["cancel", "trouble", "cancelled"]  # asked for once, while the scheduler did not answer
    assert story.events("cancelled")[0].time_s > story.events("cancel")[0].time_s
    assert run_of(story.store, story.run).summary.step == 5


def test_the_cadence_follows_what_checkpoints_cost(tmp_path: Path) -> None:
    story = Story(tmp_path, small_launch(mean_time_to_interruption_s=3600.0, checkpoint_blocking_s=10.0))
    (story.folder / "files" / "trainer.json").write_text("{}")

    def saves() -> Sighting:
        write_events(story.folder, "000.000", 0, {"kind": "checkpoint", "step": 5, "blocking_s": 0.5, "write_s": 2.0})
        return RUNNING

    story.write_life("000.000", 1, 5)
    story.backend.sightings[0] = [RUNNING, saves, saves, ended(0)]
    assert story.supervise() == "finished"
    (event,) = story.events("retuned")  # the second checkpoint changes nothing
    interval_s = run_of(story.store, story.run).checkpoint_interval_s
    assert interval_s == pytest.approx((2 * 0.5 * 3600.0) ** 0.5, rel=0.02)
    assert f'"checkpoint_interval_s":{interval_s}' in (story.folder / "control.json").read_text()
    assert "one blocked for 0.5 s" in event.text


def test_a_scheduler_that_starts_it_again_and_again_is_stopped(story: Story) -> None:
    story.write_life("000.000", 1, 3)
    story.backend.sightings[0] = [ended(1)]
    story.backend.sightings[1] = [Sighting(state="running", restarts=number) for number in range(9)]
    assert story.supervise() == "failed"
    assert "started again 4 times by the scheduler" in story.reason
    assert f"{story.run}-001" in story.backend.cancelled
