"""How much Hypothesis tries: the same few examples in each ordinary run, many and ever new ones in `test slow`."""

from __future__ import annotations

from hypothesis import settings

# A failure prints a blob with which `@reproduce_failure` repeats it.
settings.register_profile("ci", max_examples=50, derandomize=True, deadline=None, print_blob=True)
settings.register_profile("slow", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile("ci")
