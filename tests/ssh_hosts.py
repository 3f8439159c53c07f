"""Real sshd daemons on this machine, one for each host, with a key of their own, and a client that knows them."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from slurm_cluster import until

_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/key
AuthorizedKeysFile {folder}/key.pub
PidFile {folder}/sshd-{number}.pid
StrictModes no
UsePAM no
PasswordAuthentication no
SetEnv EMULATED_HOST={host}
"""
_CLIENT = """\
Host {host}
  HostName 127.0.0.1
  Port {port}
"""
_CLIENT_OF_ALL = """\
Host *
  User {user}
  IdentityFile {folder}/key
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
"""


@dataclass
class SshHosts:
    """Hosts that answer."""

    folder: Path
    daemons: dict[str, subprocess.Popen[bytes]]

    @property
    def path(self) -> str:
        """PATH with an `ssh` in front that knows these hosts."""
        return f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def kill(self, host: str) -> None:
        """Ends a host with all that runs on it."""
        daemon = self.daemons.pop(host)
        daemon.kill()
        daemon.wait(timeout=10)
        mark = f"EMULATED_HOST={host}".encode()
        for process in Path("/proc").iterdir():
            if not process.name.isdecimal():
                continue
            with suppress(OSError):
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)


@contextmanager
def ssh_hosts(hosts: Sequence[str]) -> Iterator[SshHosts]:
    """Names that this machine resolves to itself. Skips the test where there is no sshd; CI must have one."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if sshd is None or os.geteuid() != 0 or shutil.which("ssh") is None:
        (pytest.fail if "CI" in os.environ and os.geteuid() == 0 else pytest.skip)(
            "needs root, ssh and sshd (Debian: openssh-server)"
        )
    folder = Path(tempfile.mkdtemp(prefix="ssh-"))
    daemons: dict[str, subprocess.Popen[bytes]] = {}
    Path("/run/sshd").mkdir(exist_ok=True)  # where sshd keeps nothing, and yet asks for it
    try:
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True, timeout=30
        )
        client = ""
        for number, host in enumerate(hosts):
            with socket.socket() as one:
                one.bind(("127.0.0.1", 0))
                port = one.getsockname()[1]
            configuration = folder / f"sshd-{number}"
            configuration.write_text(_SERVER.format(port=port, folder=folder, number=number, host=host), "utf-8")
            with (folder / f"sshd-{number}.log").open("wb") as log:
                daemons[host] = subprocess.Popen(
                    [sshd, "-D", "-e", "-f", str(configuration)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            client += _CLIENT.format(host=host, port=port)
            until(lambda port=port: _listens(port), 20, f"sshd of {host}")
        (folder / "client").write_text(client + _CLIENT_OF_ALL.format(user=getpass.getuser(), folder=folder), "utf-8")
        (folder / "bin").mkdir()
        ssh = folder / "bin" / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/client "$@"\n', "utf-8")
        ssh.chmod(0o755)
        yield SshHosts(folder, daemons)
    finally:
        for daemon in daemons.values():
            daemon.terminate()
            daemon.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
