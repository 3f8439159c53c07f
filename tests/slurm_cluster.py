"""A real Slurm on this machine: munged, slurmctld and one slurmd for each emulated node, in a folder of its own.

    with slurm_cluster(nodes=4, gpus_per_node=2) as slurm:
        slurm.run("sbatch", "--parsable", "job.sh")
        slurm.kill_node("n1")  # with all that runs on it, as when the power goes

Every daemon has its own port and is stopped by its id. All nodes share one host, so that what would be one node's own
(its name, its memory, a port) is shared; jobs are told apart by SLURMD_NODENAME alone.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NODE_DOWN_S = 5
"""How long slurmctld waits for a node that does not answer before its jobs end with NODE_FAIL."""

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue")

_CONFIGURATION = """\
ClusterName=emulated
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
FirstJobId={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire={requeue_delay_s}
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobRequeue=1
ReturnToService=2
SlurmdTimeout={node_down_s}
SlurmctldTimeout=10
InactiveLimit=0
KillWait=2
UnkillableStepTimeout=10
MessageTimeout=5
TCPTimeout=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
{more}
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing_slurm() -> str:
    """Why no Slurm can be started here; empty where one can."""
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)} (Debian: munge slurmctld slurmd slurm-client)" if missing else ""


@dataclass
class SlurmCluster:
    """A cluster that runs."""

    folder: Path
    node_names: tuple[str, ...]
    controller_port: int
    _daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """What commands of this cluster need beside their own environment."""
        return {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str, check: bool = True, timeout_s: float = 30) -> str:
        """Standard output of one of Slurm's commands."""
        done = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, timeout=timeout_s
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def states(self) -> dict[str, str]:
        """State of each node as sinfo says it: `idle`, `alloc`, `down*`."""
        lines = self.run("sinfo", "--noheader", "--Node", "--format=%N %t").splitlines()
        return dict(line.split() for line in lines)

    def start_controller(self, *options: str) -> None:
        self._start("slurmctld", ["slurmctld", "-D", "-f", str(self.folder / "slurm.conf"), *options])
        until(lambda: self._answers(), 20, "slurmctld to answer")

    def stop_controller(self) -> None:
        """Jobs run on; they are found again by the controller that is started next."""
        self._stop("slurmctld", signal.SIGTERM)

    def start_node(self, name: str) -> None:
        """Starts a node's daemon, as when it is rebooted; returns before the controller has noticed."""
        command = ["slurmd", "-D", "-N", name, "-f", str(self.folder / "slurm.conf")]
        self._start(name, command)

    def kill_node(self, name: str) -> None:
        """Ends a node with all that runs on it at once. The controller notices after `NODE_DOWN_S`."""
        doomed = processes_of_node(name, str(self.folder))
        self._stop(name, signal.SIGKILL)
        for pid in doomed:
            _kill(pid)
        for pid in processes_of_node(name, str(self.folder)):  # started meanwhile
            _kill(pid)

    def stop(self) -> None:
        nodes = [name for name in self.node_names if name in self._daemons]
        for name in nodes:
            self._daemons[name].kill()
        for pid in processes_of_nodes(str(self.folder)):
            _kill(pid)
        for name in nodes:
            self._stop(name, signal.SIGKILL)
        for name in list(self._daemons):
            self._stop(name, signal.SIGKILL if name == "slurmctld" else signal.SIGTERM)

    def _answers(self) -> bool:
        ping = subprocess.run(
            ["scontrol", "ping"], env=os.environ | self.environment, capture_output=True, text=True, timeout=30
        )
        return "is UP" in ping.stdout

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.out").open("ab") as out:
            self._daemons[name] = subprocess.Popen(
                command,
                env=os.environ | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _stop(self, name: str, how: signal.Signals) -> None:
        daemon = self._daemons.pop(name)
        daemon.send_signal(how)
        try:
            daemon.wait(timeout=15)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait(timeout=15)


def start_slurm(
    folder: Path,
    *,
    nodes: int = 4,
    gpus_per_node: int = 0,
    cores_per_node: int = 8,
    topology: str = "",
    more: Sequence[str] = (),
    node_down_s: int = NODE_DOWN_S,
    requeue_delay_s: int = 5,
    accounted: bool = False,
    timeout_s: float = 60,
) -> SlurmCluster:
    """A cluster of nodes `n0`, `n1`, ... all of which are idle.

    `topology`: text of topology.conf; `more`: lines of slurm.conf. A requeued job starts after `requeue_delay_s`, which
    is 120 in a cluster that does not say otherwise. `accounted`: with slurmdbd, see `slurm_accounting`.
    """
    import slurm_accounting

    names = tuple(f"n{i}" for i in range(nodes))
    controller_port, accounts_port, database_port, *ports = _free_ports(nodes + 3)
    lines = [*more, *(slurm_accounting.lines(folder, accounts_port) if accounted else ())]
    if topology:
        (folder / "topology.conf").write_text(topology, "utf-8")
        lines.append("TopologyPlugin=topology/tree")
    gres = _fake_gpus(folder, gpus_per_node)
    lines += ["GresTypes=gpu"] if gres else []
    described = "\n".join(
        f"NodeName={name} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={port} "
        f"CPUs={cores_per_node} RealMemory=4000 {gres} State=UNKNOWN"
        for name, port in zip(names, ports, strict=True)
    )
    configuration = _CONFIGURATION.format(
        host=socket.gethostname(),
        folder=folder,
        controller_port=controller_port,
        node_down_s=node_down_s,
        requeue_delay_s=requeue_delay_s,
        more="\n".join(lines),
        nodes=described,
    )
    (folder / "slurm.conf").write_text(configuration, "utf-8")
    (folder / "state").mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    cluster = SlurmCluster(folder, names, controller_port)
    try:
        cluster._start("munged", ["munged", "--foreground", "--force", *_munge_paths(folder)])
        until((folder / "munge.socket").exists, 15, "munged to listen")
        if accounted:
            slurm_accounting.start_accounting(cluster, accounts_port, database_port)
        cluster.start_controller()
        for name in names:
            (folder / f"spool-{name}").mkdir()
            cluster.start_node(name)
        until(lambda: set(cluster.states().values()) == {"idle"}, timeout_s, "all nodes to be idle")
    except BaseException:
        cluster.stop()
        raise
    return cluster


@contextmanager
def slurm_cluster(**options: object) -> Iterator[SlurmCluster]:
    """`start_slurm` in a folder that is removed again. Skips the test where there is no Slurm; CI must have one."""
    missing = missing_slurm()
    if missing:
        (pytest.fail if "CI" in os.environ and os.geteuid() == 0 else pytest.skip)(missing)
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    folder.chmod(0o755)
    cluster = None
    try:
        cluster = start_slurm(folder, **options)  # type: ignore[arg-type]
        yield cluster
    finally:
        if cluster is not None:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def until(condition: Callable[[], object], timeout_s: float, what: str, pause_s: float = 0.1) -> None:
    """Waits until something is true. Raises TimeoutError that says what was waited for."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(pause_s)


def processes_of_node(name: str, folder: str) -> list[int]:
    """Ids of all processes that belong to the jobs of one emulated node: their environment says which."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        try:
            environment = (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if folder.encode() not in environment:
            continue
        of_job = f"\0SLURMD_NODENAME={name}\0".encode() in b"\0" + environment + b"\0"
        if of_job or (b"slurmstepd" in command and _parent_daemon(process, name)):
            found.append(int(process.name))
    return found


def processes_of_nodes(folder: str) -> list[int]:
    """Ids of all processes of jobs on any node of a cluster, in one pass: with 1,250 nodes each takes a while."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        try:
            environment, command = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
        except OSError:
            continue
        if folder.encode() in environment and (b"SLURMD_NODENAME=" in environment or b"slurmstepd" in command):
            found.append(int(process.name))
    return found


def _parent_daemon(process: Path, name: str) -> bool:
    """Whether a slurmstepd has a child of this node."""
    try:
        children = (process / "task" / process.name / "children").read_text().split()
    except OSError:
        children = []
    for child in children:
        try:
            if f"SLURMD_NODENAME={name}\0".encode() in Path("/proc", child, "environ").read_bytes():
                return True
        except OSError:
            continue
    return False


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _munge_paths(folder: Path) -> list[str]:
    return [
        f"--key-file={folder}/munge.key",
        f"--socket={folder}/munge.socket",
        f"--pid-file={folder}/munged.pid",
        f"--log-file={folder}/munged.log",
        f"--seed-file={folder}/munged.seed",
    ]


def _fake_gpus(folder: Path, gpus_per_node: int) -> str:
    """Character devices that look like /dev/null; Slurm hands them out as it would accelerators."""
    if not gpus_per_node:
        return ""
    devices = folder / "devices"
    devices.mkdir()
    for i in range(gpus_per_node):
        os.mknod(devices / f"gpu{i}", 0o020666, os.makedev(1, 3))
    last = gpus_per_node - 1
    names = f"gpu[0-{last}]" if last else "gpu0"
    (folder / "gres.conf").write_text(f"Name=gpu File={devices}/{names}\n", "utf-8")
    return f"Gres=gpu:{gpus_per_node}"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
