#!/bin/sh
# Fills /opt/switchhook with what one image holds of this repository, and with the SBOM of all that it holds:
# `members.sh <members of the workspace>...`.
set -eu
set -- $(printf './%s ' "$@")
/opt/build/bin/uv pip install --quiet --compile-bytecode --python /opt/packages --target /opt/switchhook --no-deps --no-sources "$@"
/opt/build/bin/cyclonedx-py environment --output-reproducible --output-file /opt/switchhook/sbom.cdx.json /opt/packages/bin/python3
