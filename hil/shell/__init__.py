"""A prompt on a bench, with the fixtures of the suites at hand."""
