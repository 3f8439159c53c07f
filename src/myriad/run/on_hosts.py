"""Runs over ssh: `hosts.sh` as a process of this machine, which starts `start.sh` on each host and ends with the first.

This machine leads: the ranks of all hosts end when their connections do. Where it was started again, the run is
submitted anew, from its last checkpoint.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final

from myriad.run.described import Sighting, Submission
from myriad.run.local import LocalBackend, environment_of

PORTS: Final = 20
"""Ports from the scheduler's on that submissions take in turn."""


class HostsBackend(LocalBackend):
    """A process as that of `LocalBackend`; its script takes the first hosts that answer and pass their check."""

    def __init__(self, port: int = 29500) -> None:
        self.port = port

    shell: ClassVar[str] = "bash"
    script: ClassVar[str] = "hosts.sh"

    def refuse_excluded(self, submission: Submission) -> None:
        """Nothing: the script counts the hosts that are left, and says if they are too few."""

    def environment(self, submission: Submission) -> dict[str, str]:
        return environment_of(submission) | {
            "MYRIAD_EXCLUDED_NODES": ",".join(submission.excluded_nodes),
            # What is left of the last submission may hold its port for a while yet.
            "MASTER_PORT": str(self.port + submission.number % PORTS),
        }

    def look(self, handle: str) -> Sighting:
        return replace(super().look(handle), nodes=())
