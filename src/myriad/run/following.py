"""Follows a submission that a scheduler has: what its ranks write, how the scheduler sees it, what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from myriad.run.described import Backend, BackendError, Sighting
from myriad.run.endings import cause_of_life, ending_of, starts_of
from myriad.run.health import unhealthy_nodes
from myriad.run.ingest import ingest
from myriad.run.log_tail import LogTail, log_tail
from myriad.run.notes import Notes
from myriad.run.outcomes import Outcomes, submission_of
from myriad.run.readings import (
    RunRecord,
    SubmissionRecord,
    events_of,
    last_steps_of,
    life_order,
    lives_of,
    rank_events_of,
    run_of,
)
from myriad.run.tuning import tuned
from myriad.run.watch import Watch, ranks_text
from myriad.spec.run import RunEvent, RunState

MOST_NODES: Final = 4
"""Named in one text."""


@dataclass
class Follower:
    """Follows one submission after another of a run."""

    notes: Notes
    backend: Backend
    outcomes: Outcomes
    _watch: Watch | None = None
    _tail: tuple[int, LogTail | None] | None = None
    """Number of the submission whose output is read, where its framework writes no events itself."""
    _unknown_since_s: float | None = None
    _lives_told: bool = False
    """Whether lives that a supervisor before this one read, and died before it told of them, have been told of."""

    def follow(self, record: RunRecord, current: SubmissionRecord, submissions: Sequence[SubmissionRecord]) -> RunState:
        """One look at it and what follows; the state of the run after that."""
        watch = self._watching(current)
        self.take_in(record, watch)
        try:
            seen = self.backend.look(str(current.handle))
            if seen.state == "unknown":
                seen = self._look_again(record, current, seen)
        except BackendError as error:
            self.outcomes.scheduler_failed(error)
            return record.summary.state
        self.outcomes.scheduler_answers()
        if seen.state == "unknown":
            return record.summary.state
        self._unknown_since_s = None
        if seen.failed_nodes:
            self._nodes_failed(current, seen)
        if seen.state == "queued":
            return self._queued(record, current, watch, seen)
        if seen.state == "ended":
            self.take_in(record, watch)  # what was written before it ended
            return self._ended(record, current, submissions, watch, seen)
        return self._running(record, current, submissions, watch, seen)

    def last_words(self, record: RunRecord, current: SubmissionRecord) -> None:
        """Takes in what ranks wrote until a submission was ended from here."""
        self.take_in(record, self._watching(current))

    def take_in(self, record: RunRecord, watch: Watch) -> None:
        """Takes in what ranks have written; new lives, slow ranks and damaged files become events."""
        self._read_output(record, watch.number)
        found = ingest(self.notes.store, self.notes.run, record.folder.events)
        slow = watch.learn(found.events, self.notes.clock.monotonic_s(), record.policy)
        self._tell_unreadable(found.unreadable)
        events = []
        for one in slow:
            text = f"computed {one.factor:.2f} times as long as the median of all ranks"
            events.append(
                self.notes.event(
                    "slow-rank" if one.slow else "slow-recovered", submission=watch.number, life=watch.life,
                    rank=one.rank, node=watch.node_of(one.rank), step=one.step, text=text,
                )
            )  # fmt: skip
        events += [self.notes.event("trouble", submission=watch.number, text=text) for text in found.troubles]
        events += self._unhealthy(record)
        again = self._again_in_place(record) if found.new_lives or not self._lives_told else []
        restarts = run_of(self.notes.store, self.notes.run).summary.restarts + len(again)
        self.notes.change({"restarts": restarts} if again else None, [*again, *events])
        self._lives_told = True

    def _tell_unreadable(self, unreadable: Sequence[str]) -> None:
        if unreadable:
            more = f", and {len(unreadable) - 1} more" if len(unreadable) > 1 else ""
            self.notes.trouble("events", f"events: {unreadable[0]}{more}")
        else:
            self.notes.over("events")

    def _read_output(self, record: RunRecord, number: int) -> None:
        """Makes events of what the framework printed, where it writes none itself."""
        if self._tail is None or self._tail[0] != number:
            self._tail = number, log_tail(record.folder, number, record.launch)
        tail = self._tail[1]
        try:
            if tail is not None:
                tail.poll()
            self.notes.over("output")
        except OSError as error:
            why = f"{error.filename or record.folder.events}: {(error.strerror or str(error)).lower()}"
            self.notes.trouble("output", why)

    def _unhealthy(self, record: RunRecord) -> list[RunEvent]:
        """Nodes that failed the check before a start, as the scheduler's script has noted them."""
        noted = unhealthy_nodes(record.folder.path)
        if not noted:
            return []
        events = events_of(self.notes.store, self.notes.run)
        told = {(event.submission, event.node) for event in events if event.kind == "unhealthy-node"}
        return [
            self.notes.event("unhealthy-node", submission=number, node=node, text=why)
            for (number, node), why in noted.items()
            if (number, node) not in told
        ]

    def _again_in_place(self, record: RunRecord) -> list[RunEvent]:
        """Lives that a scheduler or an elastic agent began and that nobody has told of, by whichever supervisor."""
        told = {event.life for event in events_of(self.notes.store, self.notes.run) if event.kind == "restart"}
        lives = lives_of(self.notes.store, self.notes.run)
        return [
            self._restart_in_place(record, life, before)
            for before, life in pairwise(("", *lives))
            if life_order(life)[1] > 0 and life not in told
        ]

    def _restart_in_place(self, record: RunRecord, life: str, before: str) -> RunEvent:
        """What ended the ranks of the life before, if that was of the same submission."""
        number = life_order(life)[0]
        text, rank, node = "", None, None
        if before and life_order(before)[0] == number:
            cause = cause_of_life(self.notes.store, record, before, Sighting(state="ended"))
            if cause.rank is not None:
                text, rank, node = f"{cause.text}; ", cause.rank, cause.node
        text += "the ranks were started again in place"
        return self.notes.event("restart", submission=number, life=life, rank=rank, node=node, text=text)

    def _queued(self, record: RunRecord, current: SubmissionRecord, watch: Watch, seen: Sighting) -> RunState:
        watch.progress_s = self.notes.clock.monotonic_s()
        if record.summary.state != "queued" or record.summary.reason != seen.reason:
            event = self.notes.event("queued", submission=current.number, text=seen.reason)
            self.notes.change({"state": "queued", "reason": seen.reason}, [event])
        return "queued"

    def _running(
        self,
        record: RunRecord,
        current: SubmissionRecord,
        submissions: Sequence[SubmissionRecord],
        watch: Watch,
        seen: Sighting,
    ) -> RunState:
        if current.state != "running" or record.summary.state != "running":
            more = len(seen.nodes) - MOST_NODES
            nodes = ", ".join(seen.nodes[:MOST_NODES]) + (f" and {more} more" if more > 0 else "")
            self.notes.change(
                {"state": "running", "reason": ""},
                [self.notes.event("running", submission=current.number, text=nodes)],
                submission=(current.number, {"state": "running", "nodes": list(seen.nodes)}),
            )
        if watch.checkpointed:
            self._tune(record, watch)
        silent_s = self.notes.clock.monotonic_s() - watch.progress_s
        if silent_s > watch.patience_s(record.policy, record.launch.promise):
            return self._hang(record, current, submissions, watch, silent_s)
        if seen.restarts > record.policy.restarts_without_progress:
            ending = ending_of(self.notes.store, record, submissions, watch, seen)
            if ending.without_progress:
                reason = f"started again {seen.restarts} times by the scheduler without a step further"
                return self.outcomes.failed(record, current, reason)
        return "running"

    def _hang(
        self,
        record: RunRecord,
        current: SubmissionRecord,
        submissions: Sequence[SubmissionRecord],
        watch: Watch,
        silent_s: float,
    ) -> RunState:
        last = last_steps_of(self.notes.store, self.notes.run, watch.life) if watch.life else {}
        waits = (
            one.event for one in rank_events_of(self.notes.store, self.notes.run, ("wait",)) if one.life == watch.life
        )
        ranks, how = watch.missing_ranks(last, waits) if watch.life else ([], "no rank has started")
        text = f"nothing for {silent_s:.0f} s: " + (f"{ranks_text(ranks)} {how}" if ranks else how)
        ending = ending_of(self.notes.store, record, submissions, watch, Sighting(state="ended"))
        hang = self.notes.event(
            "hang", submission=current.number, life=watch.life, rank=ranks[0] if ranks else None,
            node=watch.node_of(ranks[0]) if ranks else None, step=max(last.values(), default=None), text=text,
        )  # fmt: skip
        try:
            if ending.finished:  # all is done, only the processes do not end
                self.outcomes.end_submission(record, current)
                return self.outcomes.finished(current, ending)
            again = self.backend.restart(str(current.handle))
        except BackendError as error:
            self.outcomes.scheduler_failed(error)
            return "running"
        if not again:
            hung = replace(ending, cause=replace(ending.cause, text=text, exit_code=None))
            return self.outcomes.again(record, current, hung, [hang])
        watch.progress_s, watch.trains = self.notes.clock.monotonic_s(), False
        asked = self.notes.event("restart", submission=current.number, text="the scheduler was asked for it")
        self.notes.change({"state": "restarting"}, [hang, asked])
        return "restarting"

    def _ended(
        self,
        record: RunRecord,
        current: SubmissionRecord,
        submissions: Sequence[SubmissionRecord],
        watch: Watch,
        seen: Sighting,
    ) -> RunState:
        ending = ending_of(self.notes.store, record, submissions, watch, seen)
        if ending.finished:
            return self.outcomes.finished(current, ending)
        end = self.notes.event(
            "exit", submission=current.number, life=watch.life, rank=ending.cause.rank, node=ending.cause.node,
            step=ending.step, text=ending.cause.text,
        )  # fmt: skip
        return self.outcomes.again(record, current, ending, [end])

    def _nodes_failed(self, current: SubmissionRecord, seen: Sighting) -> None:
        """An event for each node that failed, once a submission."""
        events = events_of(self.notes.store, self.notes.run)
        told = {(event.submission, event.node) for event in events if event.kind == "node-failed"}
        new = [node for node in seen.failed_nodes if (current.number, node) not in told]
        more = {"submission": current.number, "text": seen.reason}
        self.notes.change(events=[self.notes.event("node-failed", node=node, **more) for node in new])

    def _tune(self, record: RunRecord, watch: Watch) -> None:
        try:
            new = tuned(self.notes.store, record)
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            self.notes.trouble("control", f"{record.folder.control} cannot be written: {why}; the cadence stays")
            return
        self.notes.over("control")
        watch.checkpointed = False
        if new is not None:
            interval_s, text = new
            event = self.notes.event("retuned", submission=watch.number, text=text)
            self.notes.change({"checkpoint_interval_s": interval_s}, [event])

    def _watching(self, current: SubmissionRecord) -> Watch:
        """What is known of this submission, from the database where this supervisor has not seen it begin."""
        if self._watch is None or self._watch.number != current.number:
            watch = Watch(current.number, self.notes.clock.monotonic_s())
            store, run = self.notes.store, self.notes.run
            mine = [life for life in lives_of(store, run) if life_order(life)[0] == current.number]
            if mine:
                watch.begin_life(mine[-1])
                watch.trains = any(last_steps_of(store, run, mine[-1]).values())
                watch.know_starts(starts_of(store, run, mine[-1]))
                watch.know_slow(one for one in events_of(store, run) if one.life == mine[-1])
            self._watch = watch
        return self._watch

    def _look_again(self, record: RunRecord, current: SubmissionRecord, seen: Sighting) -> Sighting:
        """A submission of which the scheduler has no record: found under another handle, or ended after a while."""
        found = self.backend.find(submission_of(record, current))
        if found is not None and found != current.handle:
            self.notes.change(submission=(current.number, {"handle": found}))
            return self.backend.look(found)
        now_s = self.notes.clock.monotonic_s()
        if self._unknown_since_s is None:
            self._unknown_since_s = now_s
        if now_s - self._unknown_since_s < record.policy.lost_after:
            return seen
        return Sighting(state="ended", reason="the scheduler has no record of it")
