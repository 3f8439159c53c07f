"""Fits kernel and link figures to measured operator times. Needs the extra `calibrate` (pandas, scipy)."""
