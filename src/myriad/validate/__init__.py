"""Judges estimates by published measurements: rows in, errors by group out."""
