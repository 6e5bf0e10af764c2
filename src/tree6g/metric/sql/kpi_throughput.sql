-- Throughput of users: samples per bucket, with the bits and the time behind them where every row
-- states them. $1 start, $2 end of the window.
WITH part AS (
    SELECT *, (least(t1_s, $2) - greatest(t0_s, $1)) / (t1_s - t0_s) AS share
    FROM throughput WHERE t1_s > $1 AND t0_s < $2
)
SELECT service, kind, le_bps, fsum(count * share) AS count,
    CASE WHEN count(volume_bit) = count(*) THEN fsum(volume_bit * share) END AS volume_bit,
    CASE WHEN count(time_s) = count(*) THEN fsum(time_s * share) END AS time_s
FROM part
GROUP BY service, kind, le_bps ORDER BY service, kind, le_bps
