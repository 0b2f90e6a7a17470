"""The way in: pushes, chains and their gaps and forks, custody, and the transaction that a group of them shares."""
