"""The reference trainer: a decoder in PyTorch, built from the same description that estimates are made of.

Small and exemplary, not a framework: it proves that a planned layout can run, and is the workload that machines are
calibrated with. `torchrun -m myriad.trainer CONFIG.json` starts it. Needs the extra `train`.

To be read in this order, from the whole to its parts:

    __main__    what cannot run (`refusals`) is told before ranks meet (`parallel`)
    loop        steps, and what all ranks decide together after each; `data`, `control`, `events`, `waits` serve it
    engine      one step: passes, gradients, clipping, optimizer
    passes      forward and backward of micro-batches; `pipeline` where there are stages
    parts       which layers a rank has and how replicas shard them; `tensor` cuts, `recompute` forgets
    checkpoint  whole or not there
    model       the decoder itself, which knows nothing of ranks
"""
