"""A system whose cluster breaks several times a day, so that a short job meets it all."""

BREAKING = """\
myriad: 1
name: A cluster that breaks
pools:
  lab:
    accelerator: h100
    count: 72
    spares: 8
    repair_crews: 2
    storage: {write: 10 GB/s, read: 20 GB/s}
    terms: {kind: rented, price: 2 USD/GPU-h}
    reliability:
      name: often
      causes:
        gpu:
          component: gpu
          unit: accelerator
          rate: {per_1000_unit_days: 20}
          detection: {mean: 5 min, law: exponential}
          diagnosis: {mean: 10 min}
          repair: {mean: 12 h, law: exponential}
        software:
          component: software
          unit: node
          rate: {per_1000_unit_days: 100}
          reach: none
          repaired: 0
          detection: {mean: 10 min}
        straggler:
          component: gpu
          effect: slow
          unit: accelerator
          rate: {per_1000_unit_days: 2}
          speed: 0.7
          detection: {mean: 1 h}
          repair: {mean: 2 h}
      lemons: {share: 5 %, times: 5}
  quiet:
    accelerator: h100
    count: 8
jobs:
  pretrain:
    model: llama3.1-8b
    pools: [lab]
    tokens: 100 B tokens
    deadline: 54 h
    seq_len: 8192
    global_batch: 128
    layout: {tp: 2, dp: 32}
    recovery: {checkpoints: [{to: storage, interval: 1 h}], swap: 5 min}
  tune:
    model: llama3.1-8b
    pools: [quiet]
    tokens: 1 B tokens
    seq_len: 8192
    global_batch: 128
    layout: {tp: 2, dp: 4}
"""
