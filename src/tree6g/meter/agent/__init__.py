"""The meter's agent: it reads its targets at the edges of an interval and writes a ledger."""
