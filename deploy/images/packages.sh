#!/bin/sh
# Fills /opt/packages with what one image needs of others: `packages.sh <name of its lock>`. What is in /opt/switchhook is found, too.
set -eu
uv=/opt/build/bin/uv
$uv venv --quiet --python python3 /opt/packages
$uv pip sync --quiet --python /opt/packages --require-hashes --only-binary :all: "deploy/images/requirements/$1.lock"
cd /opt/packages/lib/python3*/site-packages
echo /opt/switchhook >switchhook.pth

# Half of what wheels hold is not needed to run: symbols for debuggers, what the libraries were compiled from, and texts for
# the languages of Babel, which python-liquid imports for filters that flows do not have. Of Python's sources the bytecode is enough:
# a traceback names their files and lines all the same.
find . -name '*.so*' -type f -exec strip --strip-unneeded {} +
find . -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.c' -o -name '*.h' \) -delete
find . -path '*/babel/locale-data/*' ! -name 'root.dat' ! -name 'en.dat' ! -name 'en_US.dat' -type f -delete
/opt/packages/bin/python3 -m compileall -q -b "$PWD"
find . -name '*.py' -type f -delete
