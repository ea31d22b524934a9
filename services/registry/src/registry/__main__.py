"""`python -m registry`."""

from servicekit.process import refusing

if __name__ == "__main__":
    with refusing("registry"):
        from registry.main import main
    main()
