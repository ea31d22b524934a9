"""ingress: what comes from outside becomes a record on Kafka, and its caller gets an answer."""
