-- Percentiles of the users' waiting times by service. $1 start, $2 end of the window.
WITH measures AS (
    SELECT service::VARCHAR AS service, unnest(['ttft', 'tpot', 'e2e']) AS kind,
        unnest([ttft_s, tpot_s, e2e_s]) AS value_s
    FROM request
    WHERE arrival_s >= $1 AND arrival_s < $2
)
SELECT service, kind, count(value_s) AS count,
    quantile_cont(value_s, 0.5) AS p50_s,
    quantile_cont(value_s, 0.9) AS p90_s,
    quantile_cont(value_s, 0.99) AS p99_s
FROM measures
WHERE value_s IS NOT NULL
GROUP BY service, kind
ORDER BY service, kind
