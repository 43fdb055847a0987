"""What makes results/, docs/figures/ and the generated blocks; see ``python -m tools --help``."""
