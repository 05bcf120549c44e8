"""``python -m hil.cli``: the same as ``hil``."""

from hil.cli import main

main()
