"""How Slurm's words are read; `tests/faults/test_slurm.py` hears them from Slurm itself."""

from __future__ import annotations

import pytest

from myriad.run.commands import Done
from myriad.run.described import BackendError, RefusedError
from myriad.run.on_slurm import _exit_code, _failure, _is_lost


@pytest.mark.parametrize(
    ("state", "written", "code"),
    [
        ("COMPLETED", "0:0", 0),
        ("FAILED", "3:0", 3),
        ("FAILED", "0:9", -9),
        ("CANCELLED", "0:15", -15),
        ("NODE_FAIL", "0:0", None),  # 0 would be success
        ("TIMEOUT", "0:0", None),
        ("FAILED", "", None),
    ],
)
def test_exit_codes(state, written, code):
    assert _exit_code(state, written) == code


@pytest.mark.parametrize(
    ("state", "lost"),
    [
        ("down", True), ("down*", True), ("idle*", True), ("drained", True), ("draining", True), ("fail", True),
        ("idle", False), ("mixed", False), ("allocated", False), ("allocated*", True), ("completing", False),
        ("unknown", True), ("reserved", False),
    ],
)  # fmt: skip
def test_nodes_that_are_lost(state, lost):
    assert _is_lost(state) == lost


FAILED = "sbatch: error: Batch job submission failed: "


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (FAILED + "Invalid partition name specified", RefusedError),
        (FAILED + "Invalid account or account/partition combination", RefusedError),
        (FAILED + "Job violates accounting/QOS policy (job submit limit)", RefusedError),
        (FAILED + "Unable to contact slurm controller (connect failure)", BackendError),
        (FAILED + "Socket timed out on send/recv operation", BackendError),
        (FAILED + "Zero Bytes were transmitted or received", BackendError),
        (FAILED + "Required partition not available (inactive or drain)", BackendError),
        ("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying", BackendError),
        ("sbatch: fatal: Could not establish a configuration source", BackendError),
    ],
)  # fmt: skip
def test_what_is_refused_for_good(words, kind):
    assert type(_failure("sbatch", Done(1, "", words))) is kind
