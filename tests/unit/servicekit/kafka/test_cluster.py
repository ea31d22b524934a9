import pytest
from pydantic import ValidationError

from servicekit.kafka.cluster import Cluster
from servicekit.settings import KafkaSettings


def test_the_prefix_goes_before_a_name_and_is_taken_away_again():
    cluster = Cluster("127.0.0.1:9092", "blue.")
    assert cluster.named("switchhook.inbound.v1") == "blue.switchhook.inbound.v1"
    assert cluster.own_name("blue.switchhook.inbound.v1") == "switchhook.inbound.v1"


def test_without_a_prefix_names_are_those_of_contracts():
    cluster = KafkaSettings().cluster
    assert (cluster.named("a"), cluster.own_name("a")) == ("a", "a")


def test_settings_give_the_prefix(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SWITCHHOOK_TOPIC_PREFIX", "blue.")
    assert KafkaSettings().cluster.topic_prefix == "blue."


@pytest.mark.parametrize("prefix", ["a/", "ü", " ", "x" * 101])
def test_a_prefix_that_kafka_would_refuse_is_refused(prefix: str):
    with pytest.raises(ValidationError):
        KafkaSettings(topic_prefix=prefix)
