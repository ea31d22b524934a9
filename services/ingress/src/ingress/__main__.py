"""`python -m ingress`."""

from servicekit.process import refusing

if __name__ == "__main__":
    with refusing("ingress"):
        from ingress.main import main
    main()
