"""`python -m colony`."""

from colony.cli import main

main()
