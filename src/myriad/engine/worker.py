"""A process that answers calls: `python -m myriad.engine.worker` reads pickled calls and writes pickled results.

Its own process rather than one of `multiprocessing`: that would import the program of the caller again, which
works only for programs written for it, and would give up all workers when one of them dies.
"""

from __future__ import annotations

import os
import pickle
import sys


def main() -> None:
    """Answers calls until there are no more. Whatever the function prints goes to standard error."""
    calls, results = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while True:
        try:
            function, point = pickle.load(calls)
        except EOFError:
            return
        answer: tuple[object, Exception | None]
        try:
            answer = (function(point), None)
        except Exception as error:  # noqa: BLE001 - the caller raises it again
            answer = (None, error)
        pickle.dump(answer, results)
        results.flush()


if __name__ == "__main__":
    main()
