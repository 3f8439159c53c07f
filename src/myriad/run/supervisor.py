"""A supervisor: submits a run, follows it, and starts it again until it has finished or cannot.

All that it decides by lies in the database, in the folder of the run and with the scheduler. Each look begins from
there, so that a supervisor that was killed and one that met a trouble go on in the same way.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from typing import Final

from myriad.errors import LaunchError
from myriad.run.clock import Clock
from myriad.run.described import Backend, BackendError, RefusedError
from myriad.run.endings import intended
from myriad.run.following import Follower
from myriad.run.lock import only_supervisor
from myriad.run.notes import Notes
from myriad.run.outcomes import LONGEST_WAIT_S, Outcomes, submission_of
from myriad.run.readings import RunRecord, SubmissionRecord, run_of, submissions_of
from myriad.run.store import Store, StoreError
from myriad.spec.run import ENDED, RunState, SupervisorEventKind

FOLDER_GONE_LOOKS: Final = 3
"""A folder that is missing so many times in a row is gone, and no hiccup of a file server."""
SETTLE_S: Final = 5.0
"""A scheduler that comes back may take in what it was sent before just after it was asked what it has."""

Check = Callable[[RunRecord], tuple[str, ...]]
"""What is wrong with this machine, where it is the node."""


class Supervisor:
    """Supervises one run. Only `supervise` holds its lock; `look` is one turn of it."""

    def __init__(
        self,
        store: Store,
        run: str,
        backend: Backend,
        check: Check | None = None,
        clock: Clock | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.store, self.run, self.backend, self.check = store, run, backend, check
        self.clock = clock or Clock()
        self.notes = Notes(store, run, self.clock, tell)
        self.outcomes = Outcomes(self.notes, backend)
        self.follower = Follower(self.notes, backend, self.outcomes)
        self._folder_gone = 0
        self._may_be_sent = True
        """Whether the scheduler may have been sent a submission that it has not answered: by a supervisor before this
        one, or by this one in vain. Two looks for it then, `SETTLE_S` apart, before it is sent again."""

    def supervise(self) -> RunState:
        """The state in which the run ended. Raises LaunchError where another supervises it, or the database is lost."""
        record = run_of(self.store, self.run)
        if record.summary.state in ENDED:
            return record.summary.state
        with only_supervisor(record.folder.lock, self.run):
            state, failing_since_s = record.summary.state, None
            while state not in ENDED:
                try:
                    state, failing_since_s = self.look(), None
                except StoreError as error:
                    now_s = self.clock.monotonic_s()
                    failing_since_s = failing_since_s or now_s
                    if now_s - failing_since_s > record.policy.store_patience:
                        told = f"{error}; the run goes on without a supervisor: myriad supervise {self.run}"
                        raise LaunchError(told) from None
                    self.notes.trouble("database", str(error))
                if state not in ENDED:
                    self.clock.sleep(record.policy.look_every)
            return state

    def look(self) -> RunState:
        """One look and what follows from it; the state of the run after it."""
        self.store.check()
        record = run_of(self.store, self.run)
        if record.summary.state in ENDED:
            return record.summary.state
        if not submissions_of(self.store, self.run):
            self.notes.change({"state": "queued"}, new_submission=intended(0, (), self.clock.wall_s()))
            self._may_be_sent = False
        state = self._act(record, submissions_of(self.store, self.run))
        self.notes.change()  # troubles that waited
        return state

    def _act(self, record: RunRecord, submissions: Sequence[SubmissionRecord]) -> RunState:
        current = submissions[-1]
        if record.cancel_wanted:
            return self._cancel(record, current)
        # Unlike Path.is_dir this is no error where a file server gives one.
        self._folder_gone = 0 if os.path.isdir(record.folder.path) else self._folder_gone + 1  # noqa: PTH112
        if self._folder_gone >= FOLDER_GONE_LOOKS:
            return self.outcomes.failed(record, current, f"its folder {record.summary.folder} is gone")
        if current.state == "intended":
            return self._submit(record, current, submissions)
        self._may_be_sent = False
        return self.follower.follow(record, current, submissions)

    def _cancel(self, record: RunRecord, current: SubmissionRecord) -> RunState:
        """Ranks may save once more when they are asked to end: what they say of it counts."""
        if not self.outcomes.ended(record, current):
            return record.summary.state
        self.follower.last_words(record, current)
        return self.outcomes.cancelled(current)

    def _submit(
        self, record: RunRecord, current: SubmissionRecord, submissions: Sequence[SubmissionRecord]
    ) -> RunState:
        if self.clock.monotonic_s() < self.outcomes.not_before_s:
            return record.summary.state
        submission = submission_of(record, current)
        try:
            kind: SupervisorEventKind = "adopted"
            handle = self.backend.find(submission)
            if handle is None and self._may_be_sent:
                self._may_be_sent = False
                self.outcomes.not_before_s = self.clock.monotonic_s() + SETTLE_S
                return record.summary.state
            if handle is None:
                if before := submissions[:-1]:  # whatever is left of it must not meet its successor
                    self.outcomes.end_submission(record, before[-1])
                if problems := self.check(record) if self.check else ():
                    return self._unhealthy(record, current, problems)
                self._may_be_sent = True
                kind, handle = "submitted", self.backend.submit(submission)
        except RefusedError as error:
            self._may_be_sent = False
            if not current.excluded_nodes:
                return self.outcomes.failed(record, current, f"refused: {error}")
            text = f"refused without {', '.join(current.excluded_nodes)}: {error}; they are not excluded any more"
            self.notes.trouble("excluded", text)
            self.notes.change({"excluded_nodes": []}, submission=(current.number, {"excluded_nodes": []}))
            return record.summary.state
        except BackendError as error:
            self.outcomes.scheduler_failed(error)
            return record.summary.state
        self.outcomes.scheduler_answers()
        self.notes.over("health")
        self.notes.change(
            {"state": "queued", "reason": ""},
            [self.notes.event(kind, submission=current.number, text=handle)],
            submission=(current.number, {"state": "submitted", "handle": handle, "submitted_s": self.clock.wall_s()}),
        )
        return "queued"

    def _unhealthy(self, record: RunRecord, current: SubmissionRecord, problems: Sequence[str]) -> RunState:
        """Not started here: a run that has not begun fails, another waits until the machine is well again."""
        text = "; ".join(problems)
        event = self.notes.event("unhealthy-node", submission=current.number, node=socket.gethostname(), text=text)
        if current.number == 0:
            return self.outcomes.failed(record, current, f"this machine cannot run it: {text}", [event])
        if self.notes.is_new("health", text):
            self.notes.change({"reason": text}, [event])
        self.outcomes.not_before_s = self.clock.monotonic_s() + min(record.policy.longest_backoff, LONGEST_WAIT_S)
        return record.summary.state
