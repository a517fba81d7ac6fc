"""`python -m edge.cli`: the command without an installed script."""

from edge.cli import main

main()
