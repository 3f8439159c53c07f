"""What schedulers take to start a planned training job; all of it ends in `start.sh` on every node."""

from __future__ import annotations

from myriad.launch.training.schedulers.render import scheduler_files

__all__ = ["scheduler_files"]
