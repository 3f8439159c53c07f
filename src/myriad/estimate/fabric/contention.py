"""How much longer flows take that a hash puts on links: balls into bins.

F flows of equal size at once, each on one of u equal links by a hash, load a link with a binomial number of them. A
collective goes on when its last flow has arrived, and that is one of those on the fullest of all B links that it uses:
of all leaves, upwards and downwards. With max-min fair rates the flows there share the link evenly, so that

    factor = E[largest of B binomial(F, 1/u)] / (F / u)

over evenly spread flows: u for a single flow (it can use one link alone), about ln B / ln ln B for one flow per link
(Raab and Steger, RANDOM 1998), 1 for very many. Loads of different links are taken as independent. Flows stay where
they are from step to step of a ring, so that the factor holds for the whole job; it is the mean over hashes.

Left out: flows of unequal size, hashes that are not uniform (polarisation), collisions in two tiers at once beyond
the worse of them.
"""

from __future__ import annotations

import math

import numpy as np

_SPREADS = 12.0
"""Standard deviations around the mean within which the largest load is looked for."""


def largest_load(flows: float, links: float, bins: float) -> float:
    """The expected largest number of flows on one of `bins` links, each of `flows` on one of `links` by a hash.

    A number of flows that is not whole is taken as mixed from the two beside it.

    >>> round(largest_load(1, 32, 64), 2), round(largest_load(32, 32, 64), 2), round(largest_load(3200, 32, 64), 1)
    (1.0, 3.86, 123.8)
    """
    below = max(math.floor(flows), 1)
    share = max(flows, 1.0) - below
    least = _largest(below, links, bins)
    return least if not share else (1.0 - share) * least + share * _largest(below + 1, links, bins)


def _largest(flows: int, links: float, bins: float) -> float:
    if links <= 1.0:
        return float(flows)
    mean = flows / links
    reach = _SPREADS * math.sqrt(mean) + _SPREADS
    lowest, highest = max(int(mean - reach), 0), min(int(mean + reach), flows)
    # log of the binomial's terms, the lowest taken as 0: they are summed to 1 afterwards.
    counts = np.arange(lowest + 1, highest + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log((flows - counts + 1) / counts) - math.log(links - 1.0))])
    terms = np.exp(logs - logs.max())
    at_most = np.cumsum(terms) / terms.sum()
    fullest = at_most**bins
    # At least one link has a flow.
    return float(max(highest - fullest[:-1].sum(), 1.0))


def stretches(
    links: float, bins: float, accelerators: float, flows_each: float, most: float, uneven: tuple[float, float]
) -> tuple[tuple[float, float], ...]:
    """Factors on the time for a cut that `accelerators` send over `links` by hash: (messages each at once, factor).

    From one message of all of them to `most` of each, every message parted into `flows_each` flows. `bins` are the
    links of all such cuts, both ways. `uneven` is how much more than the mean the hash puts on the links that it hits
    most: with one message each, which goes to a neighbour, and with `most`, which go everywhere.
    """
    messages = np.geomspace(1.0 / accelerators, max(most, 1.0), _POINTS)
    found = []
    for each in messages.tolist():
        flows = max(each * accelerators * flows_each, 1.0)
        spread = math.log(max(each, 1.0)) / math.log(most) if most > 1.0 else 0.0
        hit = links / (uneven[0] ** (1.0 - spread) * uneven[1] ** spread)
        found.append((each, max(largest_load(flows, hit, bins) * links / flows, 1.0)))
    return tuple(found)


_POINTS = 25
"""Of the table; between two points the factor changes by a quarter at most."""
