"""`python -m dispatcher`."""

from dispatcher.main import main

main()
