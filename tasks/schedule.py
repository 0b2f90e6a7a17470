"""APScheduler's wiring: which job runs how often in a serving process."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

from backend.settings import Settings
from backend.storage.engine import Store
from sync.reading.sightings import Sightings
from tasks import jobs
from tasks.jobs import Chore

HIGH_WATER_SECONDS = 15
SIGHTING_SECONDS = 15


def start(store: Store, settings: Settings, sightings: Sightings, chores: Sequence[Chore]) -> BackgroundScheduler:
    """Starts the schedule of a serving process; every process may have one, since its jobs may run twice."""
    scheduler = BackgroundScheduler(job_defaults={"coalesce": True, "max_instances": 1}, timezone="UTC")
    at_once = datetime.now(UTC)
    scheduler.add_job(
        jobs.keep_high_water,
        "interval",
        seconds=HIGH_WATER_SECONDS,
        next_run_time=at_once,
        args=(store, settings.data / "witness"),
    )
    scheduler.add_job(sightings.flush, "interval", seconds=SIGHTING_SECONDS)
    for chore in chores:
        scheduler.add_job(jobs.do_chore, "interval", seconds=chore.seconds, args=(store, chore))
    silence = settings.silence_seconds
    scheduler.add_job(jobs.cut_silent_lines, "interval", seconds=max(1, silence // 4), args=(silence,))
    scheduler.start()
    return scheduler
