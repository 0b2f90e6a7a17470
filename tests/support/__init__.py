"""What tests are made of: engines, a small facility, terminals in it, servers that can be killed."""
