"""Searches layouts: enumerate, reject with a reason, rank. The estimate comes in as a function."""
