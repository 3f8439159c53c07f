"""Frozen descriptions: what goes into an estimate and what comes out of it."""
