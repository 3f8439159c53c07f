"""Runs on Slurm, through its own commands: sbatch, squeue, scontrol, scancel, and sacct where there is accounting.

A controller forgets a job that has ended after MinJobAge (300 s by default). After that accounting is asked, if the
cluster has any, and then the file into which the script of the job writes how it ended.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from myriad.run.commands import Done, call
from myriad.run.described import BackendError, RefusedError, RunFolder, Sighting, Submission
from myriad.run.exit_file import exit_code_of, exit_file
from myriad.run.hostlist import expand

SCRIPT: Final = "job.sbatch"

_PASSES: Final = re.compile(
    r"unable to contact|connection (refused|timed out|failure)|socket timed out|zero bytes|temporarily"
    r"|could not establish|authentication (error|credential)|munge|backup mode|try again|transport endpoint"
    r"|communication|resource temporarily|timed out|inactive or drain",
    re.IGNORECASE,
)
"""What Slurm's commands say of a controller that may answer later, or of a partition that is closed for maintenance;
all else that they refuse is refused for good."""
_FORGOTTEN: Final = "Invalid job id"

_QUEUED: Final = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT",
                            "SUSPENDED", "RESV_DEL_HOLD", "STOPPED"})  # fmt: skip
_RUNNING: Final = frozenset({"RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "RESIZING"})
_ENDED: Final = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY",
                           "BOOT_FAIL", "DEADLINE", "LAUNCH_FAILED", "RECONFIG_FAIL", "REVOKED"})  # fmt: skip
_FIELD: Final = re.compile(r"(?:^|\s)([A-Za-z]\w*(?:/\w+)?)=(.*?)(?=\s+[A-Za-z]\w*(?:/\w+)?=|\s*$)")
"""Of `scontrol --oneliner`; a value may hold spaces, as folders do."""
_CLIENTS: Final = frozenset({"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT", "SLURM_DEBUG"})
"""Of variables that begin with SLURM, those that Slurm's commands are configured by; the others tell of a job."""
_NEVER: Final = frozenset({"PartitionConfig", "PartitionNodeLimit", "PartitionTimeLimit", "BadConstraints",
                           "InvalidAccount", "InvalidQOS", "AccountNotAllowed", "QOSNotAllowed"})  # fmt: skip
"""Reasons for which a job that was accepted would wait until somebody changes the cluster."""
_NOT_REQUEUED: Final = re.compile(r"invalid job id|disabled|denied|already|not support", re.IGNORECASE)
_NOT_LAUNCHED: Final = "launch_failed_requeued_held"
"""Why a job is held of which a node failed before it started (its prolog did), after Slurm has drained the node."""
_RELEASES: Final = 3
"""So often; if a prolog fails because of the job, each release drains another node."""
_NODE_STATES_LOST: Final = ("down", "fail", "drain", "boot", "no_respond", "power", "unk")
"""Beginnings of what sinfo says of a node that no job starts on."""


@dataclass
class SlurmBackend:
    """One run on the Slurm that the commands of this machine know."""

    folder: RunFolder
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside that of this process, for Slurm's commands: SLURM_CONF of another cluster."""
    timeout_s: float = 60.0
    """Of one call of a command. When it is over, sbatch may have submitted: `find` says."""
    _nodes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Where each job was last seen to run, because a requeued one has forgotten."""
    _hastened: dict[str, int] = field(default_factory=dict)
    """The restart of each job that was last asked to start at once."""

    def submit(self, submission: Submission) -> str:
        folder = submission.folder
        folder.logs.mkdir(parents=True, exist_ok=True)
        command = [
            "sbatch",
            "--parsable",
            f"--job-name={submission.name}",
            f"--comment=myriad run {submission.run}",
            f"--chdir={folder.path}",  # by which `find` knows it
            f"--output={str(folder.logs / f'{submission.number:03d}.log').replace('%', '%%')}",
            "--open-mode=append",
            "--export=ALL",  # whatever SBATCH_EXPORT says: the script reads which submission it is
        ]
        if submission.excluded_nodes:
            command.append(f"--exclude={','.join(submission.excluded_nodes)}")
        known = {"MYRIAD_SUBMISSION": str(submission.number), "MYRIAD_RUN_FOLDER": str(folder.path)}
        done = self._call([*command, str(folder.files / SCRIPT)], _of_other_jobs() | submission.environment | known)
        if done.code:
            raise _failure("sbatch", done)
        job = done.out.strip().split(";")[0]  # `ID;CLUSTER` in a federation
        if not job.isdecimal():
            raise BackendError(f"sbatch answered {done.words!r} instead of a number")
        self._refuse_what_would_never_start(job)
        return job

    def find(self, submission: Submission) -> str | None:
        return self._find_in_queue(submission) or self._find_in_accounting(submission)

    def look(self, handle: str) -> Sighting:
        done = self._call(["scontrol", "--all", "--oneliner", "show", "job", handle])
        if done.code == 0:
            fields = dict(_FIELD.findall(done.out))
            if fields.get("WorkDir") == str(self.folder.path):
                return self._sighting(handle, fields)
            # The number is that of another job: the controller has lost its memory, and counts anew.
        elif _FORGOTTEN not in done.words:
            raise _failure("scontrol", done, refused=BackendError)
        return self._from_accounting(handle) or self._from_exit_file(handle)

    def cancel(self, handle: str) -> None:
        done = self._call(["scancel", handle])
        if done.code and _FORGOTTEN not in done.words:
            raise _failure("scancel", done, refused=BackendError)

    def restart(self, handle: str) -> bool:
        done = self._call(["scontrol", "requeue", handle])
        if done.code == 0 or "pending execution" in done.words:
            return True
        if _NOT_REQUEUED.search(done.words):
            return False
        raise BackendError(f"scontrol: {done.words}")

    def _call(self, command: list[str], more: Mapping[str, str | None] | None = None) -> Done:
        return call(command, self.timeout_s, {**self.environment, **(more or {})})

    def _refuse_what_would_never_start(self, job: str) -> None:
        """Most clusters accept jobs that are larger than a partition, and let them wait for ever."""
        try:
            reason = self.look(job).reason
            if reason in _NEVER:
                self.cancel(job)
        except BackendError:
            return  # it is submitted; what becomes of it is seen later
        if reason in _NEVER:
            raise RefusedError(f"Slurm would never start job {job}: {reason}")

    def _start_now(self, handle: str, restarts: int) -> None:
        """Asks for a requeued job to start as soon as it can; the job waits on if that is not allowed.

        Slurm makes it wait for as long as credentials of its last life could be used, 121 s by default. Nodes know
        better: they void these when the job ends, and accept the new life's ("reissued job credential"), but not in
        the second in which it ended: that life would fail at once ("Job credential revoked").
        """
        if self._hastened.get(handle) != restarts:
            self._hastened[handle] = restarts
            self._call(["scontrol", "update", f"JobId={handle}", "StartTime=now+2"])

    def _find_in_queue(self, submission: Submission) -> str | None:
        done = self._call(
            ["squeue", "--all", "--noheader", "--me", "--states=all", f"--name={submission.name}", "--format=%i|%Z"]
        )
        if done.code:
            raise _failure("squeue", done, refused=BackendError)
        return _of_folder(done.out, submission)

    def _find_in_accounting(self, submission: Submission) -> str | None:
        """Of a job that ended while nobody looked; `None` also where there is no accounting."""
        done = self._call(
            ["sacct", "--noheader", "--allocations", "--parsable2", "--starttime=now-30days",
             f"--name={submission.name}", "--format=JobID,WorkDir"]
        )  # fmt: skip
        return _of_folder(done.out, submission) if done.code == 0 else None

    def _sighting(self, handle: str, fields: Mapping[str, str]) -> Sighting:
        state = fields.get("JobState", "")
        reason = fields.get("Reason", "")
        nodes = expand(fields.get("NodeList", ""))
        restarts = int(fields.get("Restarts", "0"))
        before = self._nodes.get(handle, ())
        if state in _QUEUED:
            # A requeued job is in no node any more; those that it was in are looked at.
            lost = self._lost(before) if restarts else ()
            if restarts and reason == "BeginTime":
                self._start_now(handle, restarts)
            elif reason == _NOT_LAUNCHED and restarts <= _RELEASES:
                self._call(["scontrol", "release", handle])
            waits = reason if state in {"PENDING", "CONFIGURING"} and reason not in {"", "None"} else state
            return Sighting("queued", reason=waits, restarts=restarts, failed_nodes=lost)
        if state != "COMPLETING":  # in which nodes leave one by one
            self._nodes[handle] = nodes
        if state in _RUNNING:
            lost = self._lost(before) if restarts and before != nodes else ()
            word = "" if state == "RUNNING" else state
            return Sighting("running", reason=word, restarts=restarts, nodes=nodes, failed_nodes=lost)
        if state not in _ENDED:
            raise BackendError(f"Slurm says of job {handle} that it is {state!r}, which nobody here understands")
        word = state if reason in {"", "None", state} else f"{state}: {reason}"
        code = _exit_code(state, fields.get("ExitCode", ""))
        # Other ranks often fail before Slurm knows of their node, and the job has FAILED instead of NODE_FAIL.
        lost = () if code == 0 else self._lost(nodes)
        return Sighting("ended", code, word, restarts, nodes, lost)

    def _lost(self, nodes: tuple[str, ...]) -> tuple[str, ...]:
        """Those on which no job starts now."""
        if not nodes:
            return ()
        done = self._call(["sinfo", "--all", "--noheader", "--Node", f"--nodes={','.join(nodes)}", "--format=%N %T"])
        if done.code:
            raise _failure("sinfo", done, refused=BackendError)
        states = dict(line.split(maxsplit=1) for line in done.out.splitlines() if " " in line)
        return tuple(n for n in nodes if _is_lost(states.get(n, "unknown")))

    def _from_accounting(self, handle: str) -> Sighting | None:
        done = self._call(
            ["sacct", "--noheader", "--allocations", "--parsable2", "--duplicates", f"--jobs={handle}",
             "--starttime=now-30days", "--format=State,ExitCode,NodeList,WorkDir"]
        )  # fmt: skip
        if done.code:
            return None
        lives = [line.split("|", 3) for line in done.out.splitlines() if line.count("|") >= 3]
        lives = [life for life in lives if life[3] == str(self.folder.path)]
        if not lives:
            return None
        state, exit_code, nodes, _ = lives[-1]
        state = state.split()[0]  # `CANCELLED by 1000`
        if state in _QUEUED | _RUNNING:
            # Accounting learns late, or never if the controller was lost: the exit file knows better.
            return None
        where = expand(nodes)
        lost = self._lost(where) if state == "NODE_FAIL" else ()
        return Sighting("ended", _exit_code(state, exit_code), state, len(lives) - 1, where, lost)

    def _from_exit_file(self, handle: str) -> Sighting:
        code = exit_code_of(exit_file(self.folder, handle))
        return Sighting("unknown") if code is None else Sighting("ended", code, "as the job itself wrote")


def _of_other_jobs() -> dict[str, str | None]:
    """Variables that a job must not inherit, where its supervisor is itself a job: `srun` in it would obey them."""
    return {name: None for name in os.environ if name.startswith("SLURM") and name not in _CLIENTS}


def _is_lost(state: str) -> bool:
    return state.lower().startswith(_NODE_STATES_LOST) or state.endswith("*")


def _exit_code(state: str, written: str) -> int | None:
    """Of `CODE:SIGNAL`. A job that was ended from outside may have 0 there, which would be success."""
    code, _, signal = written.partition(":")
    value = -int(signal) if signal.isdecimal() and int(signal) else int(code) if code.isdecimal() else None
    return value if value or state == "COMPLETED" else None


def _of_folder(lines: str, submission: Submission) -> str | None:
    """The newest job whose working directory is the folder of the run: another user's runs may have the same name."""
    found = [line.partition("|") for line in lines.splitlines()]
    jobs = [int(job) for job, _, folder in found if job.isdecimal() and folder == str(submission.folder.path)]
    return str(max(jobs)) if jobs else None


def _failure(
    program: str, done: Done, refused: type[BackendError] | type[RefusedError] = RefusedError
) -> BackendError | RefusedError:
    kind = BackendError if _PASSES.search(done.words) else refused
    return kind(f"{program}: {done.words.removeprefix(f'{program}: ')}")
