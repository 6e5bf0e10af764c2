-- Carrier time that touches or overlaps within one cell of the grid, added up; as coarse_energy.sql.
WITH placed AS (
    SELECT *, CASE WHEN t1_s <= (floor(t0_s / $interval_s) + 1) * $interval_s
            THEN floor(t0_s / $interval_s) END AS cell
    FROM prb
), marked AS (
    SELECT *, cell IS NULL OR coalesce(t0_s > max(t1_s) OVER (
        PARTITION BY cell, node, kind
        ORDER BY t0_s, t1_s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS opens
    FROM placed
), runs AS (
    SELECT *, sum(opens::INTEGER) OVER (
        PARTITION BY cell, node, kind
        ORDER BY t0_s, t1_s ROWS UNBOUNDED PRECEDING) AS run
    FROM marked
)
SELECT min(t0_s) AS t0_s, max(t1_s) AS t1_s, node, kind, fsum(used_s) AS used_s,
    fsum(available_s) AS available_s
FROM runs
GROUP BY cell, run, node, kind
ORDER BY t0_s, t1_s, node, kind
