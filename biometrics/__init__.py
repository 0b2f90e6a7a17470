"""Faces of officers who sign: the engines, and later enrolment and verification."""
