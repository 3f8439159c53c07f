"""Fits figures to what was measured. Most of it needs the extra `calibrate` (pandas, scipy); fits to logs do not."""
