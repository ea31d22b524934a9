"""`python -m flow_engine`."""

from servicekit.importing import importing

if __name__ == "__main__":
    with importing():
        from servicekit.process import refusing

        with refusing("flow-engine"):
            from flow_engine.main import main
    main()
