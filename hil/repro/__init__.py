"""Making a failure happen again: from the bundle that a failed test left to how often it fails now."""
