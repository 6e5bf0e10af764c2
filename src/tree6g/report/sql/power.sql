-- Mean power by component in equal windows; rows that cross a border are prorated by time.
-- $1 nodes inside the boundary, $2 start, $3 end, $4 length of a window, $5 number of windows.
WITH kept AS (
    SELECT t0_s, t1_s, component::VARCHAR AS component, sum(energy_j) AS energy_j
    FROM energy
    WHERE list_contains($1, node::VARCHAR) AND t1_s > $2 AND t0_s < $3
    GROUP BY t0_s, t1_s, component::VARCHAR
),
grid AS (
    SELECT i, $2 + i * $4 AS w0_s, least($2 + (i + 1) * $4, $3) AS w1_s
    FROM range(CAST($5 AS BIGINT)) AS r(i)
)
SELECT
    grid.i AS number,
    kept.component,
    sum(kept.energy_j * (least(kept.t1_s, grid.w1_s) - greatest(kept.t0_s, grid.w0_s))
        / (kept.t1_s - kept.t0_s) / (grid.w1_s - grid.w0_s)) AS power_w
FROM grid
JOIN kept ON kept.t0_s < grid.w1_s AND kept.t1_s > grid.w0_s
GROUP BY grid.i, kept.component
ORDER BY kept.component, grid.i
