"""The classes of the catalog's job mixes, from the statistics that their clusters published."""

from __future__ import annotations

from myriad import catalog
from myriad.errors import MissingDataError
from myriad.sim.jobs.matching import mix_of_statistics
from myriad.spec.jobs import JobClass, JobMix

_CLASSES = "  classes:\n"


def matched_mix(name: str) -> JobMix:
    """The mix with this id, its classes derived anew. Raises MissingDataError for one that keeps no statistics."""
    mix = catalog.job_mix(name)
    if mix.published is None:
        raise MissingDataError(f"{name}: the mix has no published statistics to derive classes from")
    found = mix_of_statistics(mix.name, mix.published, mix.cluster_accelerators)
    return found.model_copy(update={"night_share": mix.night_share, "longest_run": mix.longest_run})


def with_classes(text: str, mix: JobMix) -> str:
    """The text of an entry with the classes of the mix, which end the file, in place of its own."""
    return text.partition(_CLASSES)[0] + _CLASSES + "".join(f"    - {class_text(one)}\n" for one in mix.classes)


def class_text(one: JobClass) -> str:
    """A class as one line of YAML."""
    return "{" + ", ".join(f"{key}: {value}" for key, value in one.model_dump(exclude_defaults=True).items()) + "}"
