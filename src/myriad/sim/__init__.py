"""Event-driven simulation: what formulas of a steady state cannot say."""
