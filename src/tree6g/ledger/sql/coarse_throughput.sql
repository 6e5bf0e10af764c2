-- Buckets of throughput that touch or overlap within one cell of the grid, added up; as
-- coarse_energy.sql. All buckets of a histogram take its span, for an absent bucket is an empty one.
-- A sum of which a part is unknown is unknown.
WITH placed AS (
    SELECT *, CASE WHEN t1_s <= (floor(t0_s / $interval_s) + 1) * $interval_s
            THEN floor(t0_s / $interval_s) END AS cell
    FROM throughput
), marked AS (
    SELECT *, cell IS NULL OR coalesce(t0_s > max(t1_s) OVER (
        PARTITION BY cell, node, service, kind
        ORDER BY t0_s, t1_s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS opens
    FROM (SELECT DISTINCT cell, node, service, kind, t0_s, t1_s FROM placed)
), runs AS (
    SELECT *, sum(opens::INTEGER) OVER (
        PARTITION BY cell, node, service, kind
        ORDER BY t0_s, t1_s ROWS UNBOUNDED PRECEDING) AS run
    FROM marked
), spans AS (
    SELECT *, min(t0_s) OVER (PARTITION BY cell, run, node, service, kind) AS a_s,
        max(t1_s) OVER (PARTITION BY cell, run, node, service, kind) AS b_s
    FROM runs
)
SELECT a_s AS t0_s, b_s AS t1_s, p.node, p.service, p.kind, le_bps, fsum(count) AS count,
    CASE WHEN count(volume_bit) = count(*) THEN fsum(volume_bit) END AS volume_bit,
    CASE WHEN count(time_s) = count(*) THEN fsum(time_s) END AS time_s
FROM placed AS p JOIN spans AS s
    ON s.cell IS NOT DISTINCT FROM p.cell AND s.node = p.node AND s.service = p.service
    AND s.kind = p.kind AND s.t0_s = p.t0_s AND s.t1_s = p.t1_s
GROUP BY a_s, b_s, run, p.node, p.service, p.kind, le_bps
ORDER BY a_s, b_s, p.node, p.service, p.kind, le_bps
