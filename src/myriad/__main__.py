"""`python -m myriad` is the command `myriad`."""

from __future__ import annotations

from myriad.cli import main

if __name__ == "__main__":
    main()
