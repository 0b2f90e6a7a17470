"""Many terminals against real servers under faults drawn from a seed; a checker with a model of its own judges."""
