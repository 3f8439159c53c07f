"""The check that every node makes of itself before ranks start on it."""

from __future__ import annotations

from typing import Final

from myriad.spec.training_launch import TrainingLaunch

FILE: Final = "health.sh"
CHECK_LIMIT_S: Final = 300
"""For all nodes to check themselves; one that does not answer until then counts as broken."""
NOT_HEALTHY: Final = 75
"""Exit code where too few nodes passed their check: it may be tried again, without those."""


def health_script(launch: TrainingLaunch) -> str:
    """The script, for a POSIX shell: exit code 0, or one line that says what is wrong.

    It looks for what a framework would only find out after minutes, on all nodes at once: a folder that is not
    mounted, accelerators that fell off the bus. A site's own check, MYRIAD_HEALTH_CHECK, comes after that.
    """
    accelerators = _ACCELERATORS.format(number=launch.gpus_per_node) if launch.device == "cuda" else ""
    return f"""\
#!/bin/sh
# {launch.name}: can this node take part? Written by myriad launch.
set -u

fail() {{
  echo "$1"
  exit 1
}}

[ -w "${{MYRIAD_RUN_FOLDER:?}}" ] || fail "$MYRIAD_RUN_FOLDER cannot be written"
{accelerators}if [ -n "${{MYRIAD_HEALTH_CHECK:-}}" ]; then
  said=$(sh -c "$MYRIAD_HEALTH_CHECK" 2>&1) || fail "MYRIAD_HEALTH_CHECK: $(printf '%s' "$said" | tail -n 1)"
fi
exit 0
"""


_ACCELERATORS: Final = """\
for list in 'nvidia-smi -L' 'rocm-smi --showid --csv'; do
  command -v "${{list%% *}}" >/dev/null || continue
  seen=$($list 2>/dev/null | grep -c '^GPU [0-9]\\|^card') || true
  [ "$seen" -ge {number} ] || fail "${{list%% *}} lists $seen of {number} accelerators"
done
"""
