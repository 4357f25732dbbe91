"""What `scripts/mutants.py` is made of."""

__all__: list[str] = []
