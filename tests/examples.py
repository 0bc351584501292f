"""How many examples a property test tries."""

from __future__ import annotations

from hypothesis import settings

USUAL = 100  # Hypothesis's own


def up_to(most: int) -> int:
    """So many where all tests are run, and in a run of the fast ones no more than their profile in conftest.py says."""
    tried = settings.default.max_examples if settings.default else USUAL
    return most if tried >= USUAL else min(most, tried)
