#!/bin/sh
# Makes the cluster when its folder is empty, with the password of POSTGRES_PASSWORD_FILE, then runs the server as `postgres`.
set -eu
as_postgres() {
    setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
}
mkdir -p "$PGDATA" /run/postgresql
chown postgres:postgres "$PGDATA" /run/postgresql
if ! [ -e "$PGDATA/PG_VERSION" ]; then
    cat "$POSTGRES_PASSWORD_FILE" >/run/postgresql/password
    chown postgres /run/postgresql/password
    # As in the official image, the options are words of one variable.
    as_postgres initdb --username=postgres --pwfile=/run/postgresql/password --locale=C.UTF-8 ${POSTGRES_INITDB_ARGS:-}
    rm /run/postgresql/password
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups postgres -c "listen_addresses=*"
