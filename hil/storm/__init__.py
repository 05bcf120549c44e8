"""Random sequences of operations on a bench, with what must hold after each; a failing one shrunk and written down."""
