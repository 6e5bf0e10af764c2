-- Waiting times: events per bucket, with their sum where every row states it. $1 start, $2 end of the
-- window.
WITH part AS (
    SELECT *, (least(t1_s, $2) - greatest(t0_s, $1)) / (t1_s - t0_s) AS share
    FROM latency WHERE t1_s > $1 AND t0_s < $2
)
SELECT service, kind, le_s, fsum(count * share) AS count,
    CASE WHEN count(sum_s) = count(*) THEN fsum(sum_s * share) END AS sum_s
FROM part
GROUP BY service, kind, le_s ORDER BY service, kind, le_s
