"""What a replica's /metrics says at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

STARTED = "process_start_time_seconds"
Labels = tuple[str, ...]


@dataclass(frozen=True)
class Sample:
    """`at`: seconds of a clock that never goes back. `values`: metric -> the values of its labels, in the order of their names ->
    value. Histograms are left out."""

    at: float
    values: Mapping[str, Mapping[Labels, float]]

    def total(self, name: str) -> float | None:
        """Of all labels together; None where the metric is not there."""
        found = self.values.get(name)
        return None if found is None else sum(found.values())

    def by(self, name: str) -> Mapping[Labels, float]:
        """By the labels' values."""
        return self.values.get(name, {})

    def same_process(self, before: Sample) -> bool:
        """Whether the process is the one that gave the sample before: it says when it started, and its counters only rise."""
        if before.by(STARTED) != self.by(STARTED):
            return False
        counters = (name for name in self.values if name.endswith("_total"))
        return not any(
            value < before.by(name).get(labels, 0.0) for name in counters for labels, value in self.by(name).items()
        )


def sample_of(text: str, at: float) -> Sample:
    """From the text of /metrics. Raises ValueError when it is none."""
    values: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        if family.type in ("counter", "gauge"):
            for name, labels, value, *_ in family.samples:
                if not name.endswith("_created"):
                    values.setdefault(name, {})[tuple(labels[each] for each in sorted(labels))] = value
    return Sample(at, values)
