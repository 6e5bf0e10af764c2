-- Waiting times of the listed requests that arrived in the window. $1 start, $2 end.
WITH measures AS (
    SELECT service, unnest(['ttft', 'tpot', 'e2e']) AS kind,
        unnest([ttft_s, tpot_s, e2e_s]) AS value_s
    FROM request
    WHERE arrival_s >= $1 AND arrival_s < $2
)
SELECT service, kind, count(value_s), fsum(value_s) / count(value_s),
    quantile_cont(value_s, 0.5), quantile_cont(value_s, 0.95), quantile_cont(value_s, 0.99)
FROM measures
WHERE value_s IS NOT NULL
GROUP BY service, kind ORDER BY service, kind
