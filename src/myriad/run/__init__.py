"""Starts jobs on schedulers, watches them, and keeps what happened.

A supervisor is one process per run. What it knows lies in a database and in the folder of the run, so that another can
take up where it was; what it starts lives on without it.
"""

from importlib import import_module

from myriad.errors import SpecError

for _package in ("sqlalchemy", "psutil"):
    try:
        import_module(_package)
    except ModuleNotFoundError:
        raise SpecError(f"runs need {_package}; install it with: pip install 'myriad-ai[run]'") from None
