"""`python -m dispatcher`."""

from servicekit.importing import importing

if __name__ == "__main__":
    with importing():
        from servicekit.process import refusing

        with refusing("dispatcher"):
            from dispatcher.main import main
    main()
