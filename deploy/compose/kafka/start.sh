#!/bin/sh
# One broker of compose.yaml, which is a controller, too: `start.sh` runs it, `start.sh probe` asks whether it listens,
# `start.sh passwords` gives every user the password that ./secrets has for it now.
#
# Everybody logs in. Users are made when the data folder is formatted: switchhook-<service>, switchhook-operator, and
# `broker` for the brokers themselves. These and the operator, who makes the access control lists, may do anything; the lists
# (`switchhook-ops acls`) say what the others may.
set -eu

file_of() {
    printf '/run/secrets/kafka_%s' "$(printf %s "$1" | tr - _)"
}
secret() {
    cat "$(file_of "$1")"
}
users='operator ingress flow-engine dispatcher registry'
bin=/opt/kafka/bin
data=/var/lib/kafka/data
login=org.apache.kafka.common.security
work=/tmp/kafka

if [ "${1:-}" = probe ]; then
    # A connection: Kafka's own tools would start a Java machine each time.
    exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/9092'
fi

# Kafka itself would only refuse an empty password with a stack trace.
for user in broker $users; do
    if [ -f "$(file_of "$user")" ] && [ -s "$(file_of "$user")" ]; then continue; fi
    printf 'start.sh: the secret %s is missing: run ./make-secrets.sh.\n' "$(file_of "$user")" >&2
    exit 1
done

umask 077
mkdir -p "$work"

if [ "${1:-}" = passwords ]; then
    cat >"$work/admin.properties" <<EOF
security.protocol=SASL_PLAINTEXT
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=$login.scram.ScramLoginModule required username="broker" password="$(secret broker)";
EOF
    for user in $users; do
        printf 'SCRAM-SHA-512=password=%s\n' "$(secret "$user")" >"$work/password"
        "$bin/kafka-configs.sh" --bootstrap-server "kafka-$NODE:9092" --command-config "$work/admin.properties" \
            --alter --entity-type users --entity-name "switchhook-$user" --add-config-file "$work/password"
    done
    rm "$work/password" "$work/admin.properties"
    exit
fi

voters=
for node in $(seq 1 "$BROKERS"); do
    voters="$voters${voters:+,}$node@kafka-$node:9093"
done
copies=$BROKERS
enough=$((BROKERS / 2 + 1))

cat >"$work/server.properties" <<EOF
process.roles=broker,controller
node.id=$NODE
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
inter.broker.listener.name=SASL_PLAINTEXT
listeners=SASL_PLAINTEXT://:9092,CONTROLLER://:9093,PROGRAMS://:9094
advertised.listeners=SASL_PLAINTEXT://kafka-$NODE:9092,PROGRAMS://localhost:${PROGRAMS_PORT:-9094}
listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT,PROGRAMS:SASL_PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
sasl.mechanism.controller.protocol=PLAIN
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=$login.scram.ScramLoginModule required username="broker" password="$(secret broker)";
listener.name.programs.scram-sha-512.sasl.jaas.config=$login.scram.ScramLoginModule required;
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config=$login.plain.PlainLoginModule required username="broker" password="$(secret broker)" user_broker="$(secret broker)";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:broker;User:switchhook-operator
log.dirs=$data
auto.create.topics.enable=false
message.max.bytes=5242880
replica.fetch.max.bytes=5242880
log.message.timestamp.type=LogAppendTime
default.replication.factor=$copies
min.insync.replicas=$enough
unclean.leader.election.enable=false
offsets.topic.replication.factor=$copies
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$enough
share.coordinator.state.topic.replication.factor=$copies
share.coordinator.state.topic.min.isr=$enough
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
EOF

if ! [ -e "$data/meta.properties" ]; then
    # In a file, a word a line: a command line is for everybody to read.
    {
        printf '%s\n' --cluster-id "$CLUSTER_ID" --config "$work/server.properties"
        printf '%s\n' --add-scram "SCRAM-SHA-512=[name=broker,password=$(secret broker)]"
        for user in $users; do
            printf '%s\n' --add-scram "SCRAM-SHA-512=[name=switchhook-$user,password=$(secret "$user")]"
        done
    } >"$work/format"
    # It prints what it derived from the passwords.
    "$bin/kafka-storage.sh" format "@$work/format" >/dev/null
    rm "$work/format"
fi
exec "$bin/kafka-server-start.sh" "$work/server.properties"
