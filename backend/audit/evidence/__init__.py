"""Evidence bundles: a part of a facility's log in one SQLite file that anybody can check without this installation.

``order`` asks for one and leaves its leaf; ``export`` writes the file; ``layout`` says what each table and column holds;
``verify`` checks a file offline (``python -m backend.audit.evidence FILE``). docs/audit.md is the page for auditors.
"""
