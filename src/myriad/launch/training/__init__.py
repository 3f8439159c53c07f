"""Renders planned training jobs: arguments and files of the training software, and what schedulers take."""
