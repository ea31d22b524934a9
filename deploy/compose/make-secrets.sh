#!/bin/sh
# Makes a random secret of each kind that is not there yet in ./secrets, and .env with a cluster id for Kafka. What is there
# is left as it is. Needs openssl.
set -eu
cd -- "$(dirname -- "$0")"
umask 077
mkdir -p secrets

make() {
    [ -e "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"
}
random() {
    openssl rand -hex 24
}

make admin_token "$(random)"
make admin_token_digest "sha256:$(printf '%s' "$(cat secrets/admin_token)" | openssl dgst -sha256 -r | cut -d' ' -f1)"
make kek "k1:$(openssl rand -base64 32)"
make link_key "$(random)"
make postgres_password "$(random)"
make database_admin "postgresql://postgres:$(cat secrets/postgres_password)@postgres:5432/postgres"
for schema in registry flow_engine dispatcher; do
    make "database_$schema" "postgresql://switchhook_$schema:$(random)@postgres:5432/switchhook"
done
for user in broker operator ingress flow_engine dispatcher registry; do
    make "kafka_$user" "$(random)"
done
# The containers' users are not the one who runs this: the folder keeps others out, its files are read through mounts.
chmod 644 secrets/*

if ! [ -e .env ]; then
    sed "s|^KAFKA_CLUSTER_ID=.*|KAFKA_CLUSTER_ID=$(openssl rand -base64 16 | tr '+/' '-_' | cut -c1-22)|" .env.example >.env
fi
printf 'Secrets are in %s/secrets: keep a copy elsewhere, without kek and link_key what is sealed stays sealed.\n' "$(pwd)"
grep -q '^SWITCHHOOK_DOMAIN=.' .env || printf 'Set SWITCHHOOK_DOMAIN in %s/.env.\n' "$(pwd)"
