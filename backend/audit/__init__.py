"""The facility's Merkle log (RFC 9162): leaves, signed heads, and the verifier."""
