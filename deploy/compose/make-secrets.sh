#!/bin/sh
# Makes a random secret of each kind that is not there yet in ./secrets, and a cluster id for Kafka in .env. What is there
# is left as it is. `make-secrets.sh renew NAME...` makes those anew. Needs openssl.
set -eu
cd -- "$(dirname -- "$0")"
umask 077
mkdir -p secrets
all='admin_token admin_token_digest kek link_key postgres_password database_admin
    database_registry database_flow_engine database_dispatcher
    kafka_broker kafka_operator kafka_ingress kafka_flow_engine kafka_dispatcher kafka_registry
    dashboards_password database_dashboards grafana_password'

fail() {
    printf 'make-secrets: %s\n' "$1" >&2
    exit 1
}
random() {
    openssl rand -hex 24
}
# What a secret of that name is.
new() {
    case $1 in
    admin_token_digest) printf 'sha256:%s' "$(openssl dgst -sha256 -r secrets/admin_token | cut -d' ' -f1)" ;;
    # By its name a key that is not the one of before is missed, and named.
    kek) printf 'k%s:%s' "$(openssl rand -hex 4)" "$(openssl rand -base64 32)" ;;
    database_admin) printf 'postgresql://postgres:%s@postgres:5432/postgres' "$(cat secrets/postgres_password)" ;;
    database_dashboards) printf 'postgresql://switchhook_dashboards:%s@postgres:5432/switchhook' "$(cat secrets/dashboards_password)" ;;
    database_*) printf 'postgresql://switchhook_%s:%s@postgres:5432/switchhook' "${1#database_}" "$(random)" ;;
    *) random | tr -d '\n' ;;
    esac
}
# Into the file that is there: containers that run have mounted that one.
make() {
    made=$(new "$1")
    printf '%s' "$made" >"secrets/$1"
    # The containers' users are not the one who runs this: the folder keeps others out, its files are read through mounts.
    chmod 644 "secrets/$1"
}
renew() {
    for name in "$@"; do
        case $name in
        kek | link_key) fail "$name has several keys for a while, or what the old one sealed stays sealed: docs/how-to/operate.md says how." ;;
        database_dashboards) fail "$name follows from dashboards_password: renew that." ;;
        postgres_password | database_admin | kafka_broker) fail "$name is what passwords are changed with, and is not changed here: docs/how-to/deploy.md says why." ;;
        esac
        printf '%s' " $(printf '%s' "$all" | tr '\n' ' ') " | grep -q " $name " || fail "there is no secret $name: choose one of $(echo $all)."
        make "$name"
    done
    make admin_token_digest
    ! [ -s secrets/dashboards_password ] || make database_dashboards
}

if [ "${1:-}" = renew ]; then
    shift
    renew "$@"
    exit
fi
# What volumes and what is sealed in them depend on: another one in its place would lock them.
kept='' lost=''
for name in kek link_key postgres_password kafka_broker; do
    if [ -f "secrets/$name" ] && [ -s "secrets/$name" ]; then kept=$name; else lost="$lost $name"; fi
done
[ -z "$kept" ] || [ -z "$lost" ] ||
    fail "gone or empty:$lost. Others are there, so data may depend on it: bring it back from your copy of the secrets. Where there are no data yet, delete the folder secrets and run this again."

for name in $all; do
    # Where there was no file when containers were made, podman made a folder.
    [ ! -d "secrets/$name" ] || rmdir "secrets/$name"
    [ -s "secrets/$name" ] || make "$name"
done
[ -e .env ] || cat .env.example >.env
if grep -q '^KAFKA_CLUSTER_ID=$' .env; then
    # Not with a hyphen at its beginning, where it would be taken for an option.
    id=$(openssl rand -base64 16 | tr '+/' '-_' | cut -c1-22 | sed 's/^-/A/')
    sed -i "s|^KAFKA_CLUSTER_ID=.*|KAFKA_CLUSTER_ID=$id|" .env
fi
printf 'Secrets are in %s/secrets: keep a copy elsewhere, without kek and link_key what is sealed stays sealed.\n' "$(pwd)"
grep -q '^SWITCHHOOK_DOMAIN=.' .env || printf 'Set SWITCHHOOK_DOMAIN in %s/.env.\n' "$(pwd)"
