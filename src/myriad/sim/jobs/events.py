"""What the events of a simulated cluster are."""

from __future__ import annotations

from typing import Final

END: Final = 0
"""A job ends by itself."""
SEEN: Final = 1
"""A failure of a job is seen."""
SPEED_BACK: Final = 2
"""A job is no longer held back."""
BACK: Final = 3
"""Nodes are in service again."""
BREAKS: Final = 4
"""An incident begins."""
SLOW_SEEN: Final = 5
"""Slow nodes are seen, and taken out for repair."""
DRAIN: Final = 6
"""Maintenance comes near."""
OUT: Final = 7
"""It begins."""
CUT: Final = 8
"""A job has run for the longest time allowed."""
LOOK: Final = 9
"""The scheduler should look again. What happens at one moment happens in the order of these numbers."""
