"""The process that reads parts of a file."""

from mainstay.imports.worker import main

main()
