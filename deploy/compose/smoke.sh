#!/bin/sh
# Asks every part of the installation how it is, and the gateway for a page: exit code 0 when all is well. Services that have
# just started may take a minute, so it asks again until then. Needs curl.
set -eu
cd -- "$(dirname -- "$0")"

# Removed afterwards and not with --rm, with which podman 4 forgets how a command ended.
asking=switchhook-smoke-$$ end=$(($(date +%s) + 60))
while :; do
    found=0
    said=$(docker compose run --no-deps --name "$asking" setup doctor) || found=$?
    docker rm "$asking" >/dev/null
    [ "$found" != 0 ] && [ "$(date +%s)" -lt "$end" ] || break
    sleep 2
done
printf '%s\n' "$said"
[ "$found" = 0 ] || exit "$found"

url=$(docker compose run --rm --no-deps --entrypoint printenv setup SWITCHHOOK_PUBLIC_URL | tr -d '\r')
authority=$(mktemp)
trap 'rm -f "$authority"' EXIT
# For a name that only this machine knows, such as localhost, the gateway signs its certificate itself.
if docker compose exec -T gateway cat /data/caddy/pki/authorities/local/root.crt >"$authority" 2>/dev/null; then
    set -- --cacert "$authority"
fi
curl --fail --silent --show-error --retry 5 --retry-connrefused --output /dev/null "$@" "$url/openapi.json"
printf 'ok   %s answers\n' "$url"
