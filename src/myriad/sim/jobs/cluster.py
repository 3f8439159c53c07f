"""The cluster while time passes: who waits, who runs where and since when, and what each start and stop does to it."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import heapify, heappop, heappush, heapreplace
from typing import TYPE_CHECKING, Final

from myriad.sim.jobs.asked import asks, ranks, taken_accelerators
from myriad.sim.jobs.described import Machines, Resume, Submissions
from myriad.sim.jobs.events import CUT, END
from myriad.sim.jobs.nodes import WHOLE, Nodes

if TYPE_CHECKING:
    from myriad.sim.jobs.rules import Rules

NEVER: Final = math.inf


class Cluster:
    """State of one simulated life, by job (in order of submission) and by node. Rules look at it and call `start`."""

    def __init__(self, jobs: Submissions, machines: Machines, rules: Rules, resume: Resume) -> None:
        count = len(jobs)
        self.now = 0.0
        self.nodes = Nodes(machines)
        self.rules = rules
        self.by_tenant = rules.by_tenant
        self.resume = resume
        self.total = machines.num_nodes * machines.accelerators_per_node
        self.tenant: list[int] = jobs.tenant.tolist()
        self.tenants = jobs.tenants
        self.priority: list[int] = jobs.priority.tolist()
        self.run_s: list[float] = jobs.run_s.tolist()
        self.limit_s: list[float] = jobs.limit_s.tolist()
        self.ask = asks(jobs).tolist()
        """Accelerators that it asks for; below zero: parts of one that it shares."""
        taken = taken_accelerators(jobs, machines)
        self.taken: list[float] = taken.tolist()
        """Accelerators that it holds while it runs."""
        self.rank, self.job_of_rank = ranks(rules.order(jobs))
        # Attempts: a job that is stopped goes on later in another one.
        self.attempt = [0] * count
        self.began_s = [NEVER] * count
        self.expected_s = [NEVER] * count
        """End of a running job as its limit says."""
        self.where: list[tuple[int, ...]] = [()] * count
        """Nodes of a running job; of one that is not, none."""
        self.kept_s = [0.0] * count
        """Work before this attempt that lasted."""
        self.done_s = [0.0] * count
        """Work of this attempt until `since_s`."""
        self.since_s = [NEVER] * count
        self.speed = [1.0] * count
        self.stopped = [False] * count
        """Whether it ever was, and so starts with the overhead of a restart."""
        self.queued_s = [0.0] * count
        # Accounts.
        self.started_s = [math.nan] * count
        self.ended_s = [math.nan] * count
        self.state = [4] * count
        self.waited_s = [0.0] * count
        self.held_s = [0.0] * count
        self.productive_s = [0.0] * count
        self.lost_s = [0.0] * count
        self.interruptions = [0] * count
        self.preemptions = [0] * count
        self.leaves = [0] * count
        # The cluster.
        self.busy = 0.0
        self.num_waiting = 0
        self.held_by = [0.0] * len(jobs.tenants)
        """Accelerators by tenant."""
        self.running: list[tuple[float, int]] = []
        """(expected end, job), sorted."""
        self.until_s = [0.0] * machines.num_nodes
        """By node: when the last of its jobs is expected to end, or it is expected back; 0 where it is empty."""
        self.lines: dict[tuple[int, int], list[int]] = {}
        """Ranks of waiting jobs, sorted, by (tenant, what is asked for); one tenant where rules treat all alike."""
        self.drains: list[tuple[float, int]] = []
        """(start, nodes as bits) of maintenance that nodes are drained for."""
        self.events: list[tuple[float, int, int, int]] = []
        """(time, kind, number of the job, incident or outage, attempt of the job), a heap."""
        self.changes = 0
        """Counts starts and stops, so that rules know when what they found still holds."""

    # What rules ask.

    def is_running(self, job: int) -> bool:
        """Whether it holds accelerators now."""
        return bool(self.where[job])

    def expected_end_s(self, job: int) -> float:
        """If it started now: when it would end by its limit."""
        return self.now + self._setup_s(job) + self.limit_s[job] - self.kept_s[job]

    def allowed(self, job: int) -> int:
        """Nodes as bits: all but those that are drained for work which starts before it would end."""
        allowed = self.nodes.everywhere
        if self.drains:
            end = self.expected_end_s(job)
            for start, mask in self.drains:
                if end > start:
                    allowed &= ~mask
        return allowed

    def may_fit(self, ask: int) -> bool:
        """Whether there is room for so much, drains apart."""
        if ask > 0:
            return self.nodes.has(ask, self.nodes.everywhere)
        return self.nodes.num_free > 0 or self.nodes.shared_with_room(-ask, self.nodes.everywhere) is not None

    def find(self, job: int, allowed: int) -> list[int] | None:
        """Nodes for the job by the rules' placement; `None` where it does not fit."""
        ask = self.ask[job]
        if ask > 0:
            return self.rules.place(self.nodes, ask, allowed) if ask <= self.nodes.num_free else None
        node = self.nodes.shared_with_room(-ask, allowed)
        if node is not None:
            return [node]
        return self.rules.place(self.nodes, 1, allowed) if self.nodes.num_free else None

    def shared_room(self, job: int) -> int | None:
        """Node of an accelerator in use that a job which asks for a part may share; `None` where there is none."""
        return self.nodes.shared_with_room(-self.ask[job], self.allowed(job))

    def first(self) -> int | None:
        """The waiting job whose turn it is; tenants at their most are passed over."""
        if not self.by_tenant:
            ranks = [line[0] for line in self.lines.values() if line]
            return self.job_of_rank[min(ranks)] if ranks else None
        best = None
        for key in self.lines:
            line = self.lines[key]
            if line and not self._barred(key):
                entry = (self._favour(key), line[0])
                if best is None or entry < best:
                    best = entry
        return None if best is None else self.job_of_rank[best[1]]

    def waiting(self, fitting: bool, depth: int) -> Iterator[int]:
        """Waiting jobs in their order, at most so many; those alone that there is room for, where asked.

        Jobs may be started between two of them.
        """
        alike = not self.by_tenant
        heads = []
        for key, line in self.lines.items():
            if line and (alike or not self._barred(key)) and (not fitting or self.may_fit(key[1])):
                heads.append((0.0 if alike else self._favour(key), line[0], 0, key))
        heapify(heads)
        changes = self.changes
        while heads and depth:
            favour, rank, index, key = heads[0]
            line = self.lines[key]
            depth -= 1
            yield self.job_of_rank[rank]
            if changes == self.changes:
                index += 1
            else:
                changes = self.changes
                # Only the job that was given can have left its line.
                index += index < len(line) and line[index] == rank
                if fitting and not self.may_fit(key[1]):
                    heads = [head for head in heads if self.may_fit(head[3][1])]
                    heapify(heads)
                    continue
                favour = 0.0 if alike else self._favour(key)
            if index < len(line) and (alike or not self._barred(key)):
                heapreplace(heads, (favour, line[index], index, key))
            else:
                heappop(heads)

    def releases(self) -> Iterator[tuple[float, int, int]]:
        """(expected end, node, accelerators) that running jobs will free, by time.

        A shared accelerator is free when the last of those who share it ends.
        """
        size, nodes = self.nodes.per_node, self.nodes
        left: dict[int, int] = {}
        for expected, job in self.running:
            ask = self.ask[job]
            if ask < 0:
                serial = nodes.share_on[job]
                left[serial] = left.get(serial, nodes.left_of(serial)) - ask
                if left[serial] < WHOLE:
                    continue
            count = min(max(ask, 1), size)
            for node in self.where[job]:
                yield expected, node, count

    def _favour(self, key: tuple[int, int]) -> float:
        favour = self.rules.favour
        return 0.0 if favour is None else favour(self, key[0], max(key[1], 1))

    def _barred(self, key: tuple[int, int]) -> bool:
        most = self.rules.most
        return most is not None and self.held_by[key[0]] + max(key[1], 1) > most[key[0]] * self.total

    # What happens.

    def submit(self, job: int) -> None:
        """Puts it into the queue, at the place of its rank."""
        self.queued_s[job] = self.now
        self.num_waiting += 1
        key = (self.tenant[job] if self.by_tenant else 0, self.ask[job])
        line = self.lines.setdefault(key, [])
        rank = self.rank[job]
        if not line or line[-1] < rank:
            line.append(rank)
        else:
            insort(line, rank)

    def start(self, job: int, place: list[int]) -> None:
        """Lets a waiting job hold accelerators of these nodes from now on."""
        now, ask, nodes = self.now, self.ask[job], self.nodes
        line = self.lines[self.tenant[job] if self.by_tenant else 0, ask]
        del line[bisect_left(line, self.rank[job])]
        self.num_waiting -= 1
        self.waited_s[job] += now - self.queued_s[job]
        setup = self._setup_s(job)
        expected = now + setup + self.limit_s[job] - self.kept_s[job]
        self.began_s[job] = now
        self.since_s[job] = now + setup
        self.done_s[job] = 0.0
        self.speed[job] = 1.0
        self.expected_s[job] = expected
        self.where[job] = tuple(place)
        if self.started_s[job] != self.started_s[job]:  # NaN: the first start
            self.started_s[job] = now
            self.leaves[job] = 1 if len(place) == 1 else len({nodes.leaf_of[node] for node in place})
        each = nodes.per_node if ask > nodes.per_node else ask
        until = self.until_s
        for node in place:
            if ask > 0:
                nodes.take(node, each)
            else:
                nodes.take_share(job, node, -ask)
            nodes.jobs_on[node].add(job)
            if until[node] < expected:
                until[node] = expected
        insort(self.running, (expected, job))
        taken = self.taken[job]
        self.busy += taken
        self.held_by[self.tenant[job]] += taken
        self.changes += 1
        self.attempt[job] += 1
        self._plan_end(job)

    def _setup_s(self, job: int) -> float:
        if not self.stopped[job]:
            return 0.0
        num_nodes = max(self.taken[job] / self.nodes.per_node, 1.0)
        return self.resume.restart_s + self.resume.restart_per_node_s * num_nodes

    def _plan_end(self, job: int) -> None:
        left = self.run_s[job] - self.kept_s[job] - self.done_s[job]
        if self.speed[job] > 0.0:
            end = max(self.since_s[job], self.now) + left / self.speed[job]
            heappush(self.events, (end, END, job, self.attempt[job]))
        cut = self.began_s[job] + self.rules.longest_s
        if cut < NEVER:
            heappush(self.events, (cut, CUT, job, self.attempt[job]))

    def set_speed(self, job: int, speed: float) -> None:
        """From now on it works so fast; 0 while it stands still."""
        self.done_s[job] += max(self.now - self.since_s[job], 0.0) * self.speed[job]
        self.since_s[job] = max(self.now, self.since_s[job])
        self.speed[job] = speed
        self.attempt[job] += 1
        self._plan_end(job)

    def end(self, job: int, state: int) -> None:
        """It ends by itself, all work done."""
        self.state[job] = state
        self.ended_s[job] = self.now
        self.productive_s[job] = self.run_s[job]
        self._leave(job)

    def stop(self, job: int, saved: bool = False) -> None:
        """Takes it off its nodes; it keeps what its last checkpoint holds, or all where it could save before."""
        done = self.done_s[job] + max(self.now - self.since_s[job], 0.0) * self.speed[job]
        interval = self.resume.interval_s
        lost = 0.0 if saved else done % interval if interval > 0.0 else 0.0
        self.kept_s[job] += done - lost
        self.productive_s[job] = self.kept_s[job]
        self.lost_s[job] += lost
        self.stopped[job] = True
        self._leave(job)
        if self.rules.requeue:
            self.submit(job)
        else:
            self.state[job] = 1
            self.ended_s[job] = self.now

    def _leave(self, job: int) -> None:
        nodes, ask, expected = self.nodes, self.ask[job], self.expected_s[job]
        self.held_s[job] += self.now - self.began_s[job]
        each = nodes.per_node if ask > nodes.per_node else ask
        until = self.until_s
        for node in self.where[job]:
            if ask > 0:
                nodes.give(node, each)
            else:
                nodes.give_share(job, node, -ask)
            left = nodes.jobs_on[node]
            left.remove(job)
            if not left:
                until[node] = 0.0 if not nodes.outages[node] else until[node]
            elif until[node] == expected:
                until[node] = max(self.expected_s[one] for one in left)
        self.where[job] = ()
        running = self.running
        del running[bisect_left(running, (expected, job))]
        taken = self.taken[job]
        self.busy -= taken
        self.held_by[self.tenant[job]] -= taken
        self.changes += 1
        self.attempt[job] += 1

    def close(self, horizon_s: float) -> None:
        """Books what runs and waits at the end."""
        self.now = horizon_s
        for _expected, job in self.running:
            done = self.done_s[job] + max(horizon_s - self.since_s[job], 0.0) * self.speed[job]
            self.productive_s[job] = self.kept_s[job] + done
            self.held_s[job] += horizon_s - self.began_s[job]
            self.state[job] = 3
        for line in self.lines.values():
            for rank in line:
                job = self.job_of_rank[rank]
                self.waited_s[job] += horizon_s - self.queued_s[job]
