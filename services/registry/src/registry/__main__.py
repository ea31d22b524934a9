"""`python -m registry`."""

from servicekit.importing import importing

if __name__ == "__main__":
    with importing():
        from servicekit.process import refusing

        with refusing("registry"):
            from registry.main import main
    main()
