-- Mean power by component in adjacent windows; rows that cross a border are prorated by time.
-- $1 nodes inside the boundary, $2 edges of the windows.
WITH kept AS (
    SELECT t0_s, t1_s, component::VARCHAR AS component, sum(energy_j) AS energy_j
    FROM energy
    WHERE list_contains($1, node::VARCHAR) AND t1_s > $2[1]::DOUBLE AND t0_s < $2[-1]::DOUBLE
    GROUP BY t0_s, t1_s, component::VARCHAR
),
grid AS (
    SELECT i - 1 AS i, $2[i]::DOUBLE AS w0_s, $2[i + 1]::DOUBLE AS w1_s
    FROM range(1, len($2)) AS r(i)
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
