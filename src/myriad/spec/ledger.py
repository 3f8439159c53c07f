"""Where the wall time of a training job goes, simulated or real: one set of names, so that both can be compared."""

from __future__ import annotations

from typing import Final

CATEGORIES: Final = (
    "productive", "checkpoint", "lost_work", "detection", "diagnosis", "restart", "waiting", "degraded", "maintenance",
)  # fmt: skip
"""Where the wall time goes. `productive` is work that lasts, at full speed; `lost_work` was done and is done again
(or spoiled); `restart` holds swapping, restarting and reading; `waiting` is for nodes; `degraded` is what running
slower or on fewer replicas took beyond full speed. They sum to the wall time."""
