"""HTTP and the ``flask`` commands: each route names who may call it and calls one function elsewhere."""
