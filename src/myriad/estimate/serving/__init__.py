"""Serving: one pass of prefill or decode on one replica, and the steady state of many requests."""
