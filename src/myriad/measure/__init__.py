"""Measures a machine: matrix products, attention, memory, collectives, as catalog entries.

Needs the extra `train`.
"""
