-- Rows of work behind a figure, by service and kind.
SELECT source, service, kind, count(*) AS rows, sum(amount) AS amount
FROM work
WHERE list_contains(?, node) AND t1_s > ? AND t0_s < ? AND (?::VARCHAR IS NULL OR service = ?)
GROUP BY ALL
ORDER BY service, kind, source;
