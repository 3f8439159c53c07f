"""Pipeline schedules operation by operation: the order on every device, and the times that follow from it."""
