"""Speed and memory: server CPU a record, from outside the server, next to the floors of docs/bench.md."""
