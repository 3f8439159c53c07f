"""Arguments and files of training frameworks, and `start.sh`, which one node runs."""

from __future__ import annotations

from myriad.launch.training.frameworks.render import (
    Flags,
    Framework,
    framework_files,
    framework_notes,
    framework_of,
)

__all__ = ["Flags", "Framework", "framework_files", "framework_notes", "framework_of"]
