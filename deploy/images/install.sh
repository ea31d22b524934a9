#!/bin/sh
# Fills /opt/switchhook with what one image holds: `install.sh <name of its lock> <members of the workspace>...`.
set -eu
lock=deploy/images/requirements/$1.lock
shift
uv=/opt/build/bin/uv
$uv venv --quiet --python python3 /opt/switchhook
$uv pip sync --quiet --compile-bytecode --python /opt/switchhook --require-hashes --only-binary :all: "$lock"
set -- $(printf './%s ' "$@")
$uv pip install --quiet --compile-bytecode --python /opt/switchhook --no-deps --no-sources "$@"
/opt/build/bin/cyclonedx-py environment --output-reproducible --output-file /opt/switchhook/sbom.cdx.json /opt/switchhook/bin/python3

# A third of what wheels hold is not needed to run: symbols for debuggers, what the libraries were compiled from, and texts for
# the languages of Babel, which python-liquid imports for filters that flows do not have.
cd /opt/switchhook/lib/python3*/site-packages
find . -name '*.so*' -type f -exec strip --strip-unneeded {} +
find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.c' -o -name '*.h' \) -delete
find . -path '*/babel/locale-data/*' ! -name 'root.dat' ! -name 'en.dat' ! -name 'en_US.dat' -type f -delete
