"""What only PostgreSQL can show: several processes on one store."""
