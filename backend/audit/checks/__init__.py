"""What the verifier checks, a module a part of the store; ``backend.audit.verify`` runs them all."""
