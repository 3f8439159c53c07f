"""What becomes of a run: again, finished, failed, cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from myriad.run.described import Backend, BackendError, Submission
from myriad.run.endings import Ending, intended
from myriad.run.notes import Notes
from myriad.run.readings import RunRecord, SubmissionRecord
from myriad.spec.run import RunEvent, RunState

LONGEST_WAIT_S: Final = 60.0
"""Between two attempts to reach a scheduler."""


@dataclass
class Outcomes:
    """Brings a submission, or the run, to an end. All that belongs together is written in one transaction."""

    notes: Notes
    backend: Backend
    not_before_s: float = 0.0
    """Nothing is submitted before this time of the monotonic clock."""
    _failures: int = 0
    """Calls of the scheduler in a row that failed."""

    def finished(self, current: SubmissionRecord, ending: Ending) -> RunState:
        """All steps are done."""
        reason = ending.cause.text
        self.notes.change(
            {"state": "finished", "ended_s": self.notes.clock.wall_s(), "reason": reason},
            [self.notes.event("finished", submission=current.number, step=ending.step, text=reason)],
            submission=(current.number, self._end_of(0, reason)),
        )
        return "finished"

    def cancelled(self, current: SubmissionRecord) -> RunState:
        """Somebody wanted it so; the submission has been ended."""
        told = self.notes.event("cancelled", submission=current.number)
        self.notes.change(
            {"state": "cancelled", "ended_s": self.notes.clock.wall_s(), "reason": ""}, [told],
            submission=(current.number, self._end_of(None, "cancelled")),
        )  # fmt: skip
        return "cancelled"

    def failed(
        self,
        record: RunRecord,
        current: SubmissionRecord,
        reason: str,
        events: Sequence[RunEvent] = (),
        exit_code: int | None = None,
    ) -> RunState:
        """It cannot go on. Ends whatever is left first: a scheduler that does not answer now is asked again later."""
        if not self.ended(record, current):
            return record.summary.state
        self.notes.change(
            {"state": "failed", "ended_s": self.notes.clock.wall_s(), "reason": reason},
            [*events, self.notes.event("failed", submission=current.number, text=reason)],
            submission=(current.number, self._end_of(exit_code, reason)),
        )
        return "failed"

    def again(
        self, record: RunRecord, current: SubmissionRecord, ending: Ending, events: Sequence[RunEvent]
    ) -> RunState:
        """Submits the run once more after a submission that did not finish, unless there is no sense in it."""
        why, policy = ending.cause.text, record.policy
        if ending.cause.is_refusal:
            return self.failed(record, current, f"refused by the trainer: {why}", events, ending.exit_code)
        if ending.without_progress > policy.restarts_without_progress:
            reason = f"failed {ending.without_progress} times without a step further: {why}"
            return self.failed(record, current, reason, events, ending.exit_code)
        number, wait_s = current.number + 1, 0.0
        if ending.without_progress > 1:
            wait_s = min(policy.backoff * 2.0 ** (ending.without_progress - 2), policy.longest_backoff)
        excluded = tuple(sorted({*record.excluded_nodes, *ending.bad_nodes}))
        text = f"submitted once more{f' in {wait_s:.0f} s' if wait_s else ''}"
        text += f" without {', '.join(excluded)}" if excluded else ""
        restarts = record.summary.restarts + 1
        self.notes.change(
            {"state": "restarting", "reason": why, "restarts": restarts, "excluded_nodes": list(excluded)},
            [*events, self.notes.event("restart", submission=number, step=ending.step, text=text)],
            submission=(current.number, self._end_of(ending.exit_code, why)),
            new_submission=intended(number, excluded, self.notes.clock.wall_s()),
        )
        self.not_before_s = self.notes.clock.monotonic_s() + wait_s
        return "restarting"

    def end_submission(self, record: RunRecord, current: SubmissionRecord) -> None:
        """Cancels it, if the scheduler has it. Raises BackendError."""
        handle = current.handle or self.backend.find(submission_of(record, current))
        if handle is not None:
            self.backend.cancel(handle)

    def ended(self, record: RunRecord, current: SubmissionRecord) -> bool:
        """Whether its submission could be ended; where not, that is a trouble."""
        try:
            self.end_submission(record, current)
        except BackendError as error:
            self.scheduler_failed(error)
            return False
        return True

    def scheduler_failed(self, error: BackendError) -> None:
        """The scheduler did not answer: an event, and more patience with each time."""
        self._failures += 1
        wait_s = min(2.0**self._failures, LONGEST_WAIT_S)
        self.not_before_s = self.notes.clock.monotonic_s() + wait_s
        self.notes.trouble("scheduler", str(error))

    def scheduler_answers(self) -> None:
        """It does again."""
        self._failures = 0
        self.notes.over("scheduler")

    def _end_of(self, exit_code: int | None, reason: str) -> dict[str, Any]:
        return {"state": "ended", "ended_s": self.notes.clock.wall_s(), "exit_code": exit_code, "reason": reason}


def submission_of(record: RunRecord, current: SubmissionRecord) -> Submission:
    """A submission as a scheduler is given it."""
    environment = dict(record.launch.launch.environment)
    return Submission(record.summary.run, current.number, record.folder, environment, current.excluded_nodes)
