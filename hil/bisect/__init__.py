"""Which of many driver packages is the first that fails a test, also when it fails only now and then."""
