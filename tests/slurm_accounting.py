"""MariaDB and slurmdbd for a Slurm of this machine (`slurm_cluster(accounted=True)`), in the folder of its cluster."""

from __future__ import annotations

import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

from slurm_cluster import until

if TYPE_CHECKING:
    from pathlib import Path

    from slurm_cluster import SlurmCluster

_PROGRAMS = ("slurmdbd", "sacct", "mariadbd", "mariadb-install-db")
_CONFIGURATION = """\
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=root
StorageLoc=slurm
"""


def missing_accounting() -> str:
    """What is not installed for it; empty where all is."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)} (Debian: slurmdbd mariadb-server)" if missing else ""


def lines(folder: Path, port: int) -> list[str]:
    """Of slurm.conf, for a slurmdbd at this port."""
    return [
        "AccountingStorageType=accounting_storage/slurmdbd",
        "AccountingStorageHost=127.0.0.1",
        f"AccountingStoragePort={port}",
        f"AccountingStoragePass={folder}/munge.socket",
        "JobAcctGatherType=jobacct_gather/none",
    ]


def start_accounting(cluster: SlurmCluster, port: int, database_port: int) -> None:
    """Starts both; munged runs already, and slurmctld shall find them."""
    folder = cluster.folder
    data, user = folder / "database", "--user=root"
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", user, "--skip-test-db"]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    place = [f"--datadir={data}", f"--socket={folder}/mariadb.socket", f"--pid-file={folder}/mariadb.pid"]
    listens = [f"--port={database_port}", "--bind-address=127.0.0.1", "--skip-grant-tables"]
    cluster._start("mariadbd", ["mariadbd", "--no-defaults", user, *place, *listens])
    until(lambda: _answers(database_port), 60, "MariaDB to answer")
    path = folder / "slurmdbd.conf"
    host = socket.gethostname()
    text = _CONFIGURATION.format(host=host, port=port, folder=folder, database_port=database_port)
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    cluster._start("slurmdbd", ["slurmdbd", "-D"])
    until(lambda: _answers(port), 60, "slurmdbd to answer")


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
