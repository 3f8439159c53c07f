"""Pure formulas: work, memory, kernels, collectives, pipeline, training step. Opens no file, knows no clock."""
