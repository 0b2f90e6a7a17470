"""Hypothesis for tests that must not differ from one run to the next."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings


def tries(number: int) -> settings:
    """So many examples, the same ones each time; a slow machine is no failure."""
    calm = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    phases = (Phase.explicit, Phase.generate, Phase.shrink)
    return settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=calm,
        phases=phases,
    )
