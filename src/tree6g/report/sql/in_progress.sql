-- Seconds of answers of a service in progress, null where the ledger has no sessions.
SELECT sum(sessions * (t1_s - t0_s)) AS session_s
FROM work
WHERE service = ? AND kind = 'token_out'
