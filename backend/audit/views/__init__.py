"""What an auditor of the sync asks: a terminal's life, an operation's path, what waits, what disagrees, what was set aside.

Each module answers one question by named reads over one consistent view (``Store.reading``). Nothing here writes. Every
answer is of bounded work: a page has a limit, and where a count would have to read a whole history it says how far back
it has looked. Who may ask is said by the routes (``mobile_api.views``); who has asked for values is kept as a leaf
(``backend.audit.views.readings``). docs/audit.md is the page for auditors.
"""
