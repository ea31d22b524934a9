"""Where the embedded Kafka is: our own broker asks nobody who he is, another one may (operations.installation.broker)."""

from servicekit.kafka.cluster import Cluster


def own_broker(servers: str, topic_prefix: str) -> Cluster:
    """The embedded broker, whatever the environment says of another one."""
    return Cluster(servers, topic_prefix)
