"""`python -m dispatcher`."""

from servicekit.process import refusing

if __name__ == "__main__":
    with refusing("dispatcher"):
        from dispatcher.main import main
    main()
