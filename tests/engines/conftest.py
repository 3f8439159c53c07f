"""What runs inside the environment of an engine, where pytest and this package are not, is no place for doctests."""

collect_ignore = ["megatron_configs.py", "torchtitan_job.py"]
