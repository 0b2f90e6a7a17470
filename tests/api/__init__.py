"""Requests to every route, by those who may send them and by those who want in."""
