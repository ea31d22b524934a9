"""`python -m ingress`."""

from ingress.main import main

if __name__ == "__main__":
    main()
