"""What traffic gets from a network: flows that share links fairly, until all have arrived."""
