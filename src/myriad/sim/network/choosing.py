"""The choice of the next link by a hash, compiled: as `Graph.onward` and a remainder give it, without the lists."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from myriad.sim.compiled import kept_alone

IntArray = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


@kept_alone
def chosen(
    node: IntArray,
    index: IntArray,
    key: npt.NDArray[np.uint64],
    starts: IntArray,
    heads: IntArray,
    length: IntArray,
    lengths: Bytes,
    falls_to: IntArray,
) -> IntArray:
    """(rows,) the entry that each flow takes, of those of its node that begin a shortest path to target `index`.

    `falls_to` is the length that the path behind an entry has to have, where it leads down a tree; else -1.
    """
    result = np.empty(len(node), np.int64)
    for row in range(len(node)):
        at, target = node[row], index[row]
        ahead = lengths[at, target]
        count = 0
        for turn in range(2):
            rank = np.int64(key[row] % np.uint64(count)) if turn else np.int64(0)
            for entry in range(starts[at], starts[at + 1]):
                behind = lengths[heads[entry], target]
                if behind + length[entry] != ahead or (falls_to[entry] >= 0 and behind != falls_to[entry]):
                    continue
                if not turn:
                    count += 1
                elif rank == 0:
                    result[row] = entry
                    break
                else:
                    rank -= 1
    return result
