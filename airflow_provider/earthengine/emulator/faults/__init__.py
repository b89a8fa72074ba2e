"""Armed faults: what goes wrong, where and how often."""
