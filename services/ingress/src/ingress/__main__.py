"""`python -m ingress`."""

from servicekit.importing import importing

if __name__ == "__main__":
    with importing():
        from servicekit.process import refusing

        with refusing("ingress"):
            from ingress.main import main
    main()
