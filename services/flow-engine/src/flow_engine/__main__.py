"""`python -m flow_engine`."""

from flow_engine.main import main

main()
