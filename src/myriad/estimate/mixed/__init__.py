"""One job over several pools: replicas of unequal speed, and pipelines across a long link.

**Replicas** (`replicas`). Every pool trains a share of the batch in a layout of its own; a step waits for the slowest
pool. Bound: a mix makes at most as many tokens per second as its pools alone together, each with the whole batch.
Proof: the step of a pool is a + b m with a, b >= 0 in its micro-batches m, so that s sequences take at least the
share s / B of what B take, and its rate s / T(s) is at most B / T(B). The step T of the mix is no shorter than T(s)
of any pool, so that its rate, the sum of s / T over the pools, is at most the sum of B / T(B), and each of these is
at most the rate of the pool's best layout. It holds for the layouts of the search, whose replicas divide B.

**Pipelines** (`pipeline`). The first stages lie in one pool, the last in the other, with equal tp, cp, dp and
micro-batch. Bound: a pool's slowest stage takes at least the mean of its stages, so that for layers cut at k the time
between two micro-batches is at least T = max(first(k) / stages of one pool, rest(k) / stages of the other); 1F1B
takes (m - 1) T at least, and the passes of one micro-batch through all stages. The least over all k bounds the
layout, and the best of the layouts of the search that fit in memory bounds the join, whatever the link and the
division within the pools.

Left out: differences in numerics between kinds of accelerators and what they mean for convergence, failures of one
pool that stop the others, checkpoints, data that must be at both places, other traffic on the long link.
"""
