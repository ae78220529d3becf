"""``python -m mainstay`` is the same as ``mainstay``."""

from mainstay.cli import main

main()
