"""`python -m flow_engine`."""

from servicekit.process import refusing

if __name__ == "__main__":
    with refusing("flow-engine"):
        from flow_engine.main import main
    main()
