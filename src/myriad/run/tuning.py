"""The cadence of checkpoints, tuned while a run goes on."""

from __future__ import annotations

from sqlalchemy import func, select

from myriad.run import tables
from myriad.run.cadence import Saving, better_interval_s, mean_time_to_interruption_s
from myriad.run.control import ask_trainer
from myriad.run.readings import RunRecord, rank_events_of, run_of
from myriad.run.store import Store


def saving_of(store: Store, record: RunRecord) -> Saving:
    """What checkpoints of a run have cost, and how often it was interrupted."""
    run = record.summary.run
    checkpoints = [one.event for one in rank_events_of(store, run, ("checkpoint",))]
    with store.reading() as connection:
        trained_s = connection.scalar(select(func.sum(tables.steps.c.step_s)).where(tables.steps.c.run == run))
    now = run_of(store, run)
    return Saving(
        blocking_s=tuple(event.blocking_s for event in checkpoints if event.blocking_s is not None),
        write_s=next((event.write_s for event in reversed(checkpoints) if event.write_s is not None), None),
        trained_s=float(trained_s or 0.0),
        failures=now.summary.restarts,
        planned_mtti_s=record.launch.promise.mean_time_to_interruption_s,
        in_force_s=now.checkpoint_interval_s,
    )


def tuned(store: Store, record: RunRecord) -> tuple[float, str] | None:
    """The new interval in seconds, and why, once the trainer has been told; `None` where the one in force is as good.

    Only our own trainer is told while it runs. Raises OSError where it cannot be.
    """
    if not (record.folder.files / "trainer.json").is_file():
        return None
    saving = saving_of(store, record)
    interval_s = better_interval_s(saving)
    if interval_s is None:
        return None
    ask_trainer(record.folder.control, checkpoint_interval_s=interval_s)
    before = "none" if saving.in_force_s is None else f"{saving.in_force_s:.3g} s"
    mtti_s = mean_time_to_interruption_s(saving) or 0.0
    text = (
        f"checkpoints every {interval_s:.3g} s instead of {before}: one blocked for {saving.blocking_s[-1]:.3g} s, "
        f"interruptions come every {mtti_s:.3g} s"
    )
    return interval_s, text
