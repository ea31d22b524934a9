"""`python -m devstack`: the `switchhook` command."""

from devstack.cli import main

main()
