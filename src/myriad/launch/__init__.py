"""What was planned, as the files that start it."""
