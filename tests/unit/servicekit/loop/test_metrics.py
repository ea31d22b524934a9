"""What a loop's metrics say."""

from prometheus_client import REGISTRY

from servicekit.loop.metrics import LoopMetrics

LAG = "switchhook_consumer_lag_records"


def lag_of(partition: int) -> float | None:
    return REGISTRY.get_sample_value(LAG, {"topic": "moved", "partition": str(partition)})


def test_a_partition_that_went_to_another_replica_is_told_of_no_more() -> None:
    metrics = LoopMetrics("moved")
    metrics.standing({0: 7, 1: 3}, 0)
    metrics.standing({1: 2}, 0)
    assert (lag_of(0), lag_of(1)) == (None, 2.0)
    metrics.standing({0: 1, 1: 0}, 0)
    assert (lag_of(0), lag_of(1)) == (1.0, 0.0)
