"""What happens on a clock: wiring and jobs, no rules."""
