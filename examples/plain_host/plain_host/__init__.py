"""A class register that tells students when a class moves."""
