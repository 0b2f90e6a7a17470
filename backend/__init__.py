"""The server's parts, from the ground up: kernel, domain, storage, audit, identity, records, facts."""
