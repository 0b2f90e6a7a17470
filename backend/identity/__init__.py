"""Officers, terminals, sessions, proofs and scopes: who is there, and what each is given."""
