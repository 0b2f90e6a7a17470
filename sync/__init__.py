"""Operations in, rows out: push, planning, group commit, pull."""
