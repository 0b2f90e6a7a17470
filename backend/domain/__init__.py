"""Knowledge of custody that needs no record and no clock."""
