-- Energy rows that touch or overlap within one cell of the grid, added up. Rows that reach over the
-- edge of a cell stay as they are (cell null). Uncertainties of one source add (METRIC).
WITH placed AS (
    SELECT *, u95_frac IS NULL AS vague,
        CASE WHEN t1_s <= (floor(t0_s / $interval_s) + 1) * $interval_s
            THEN floor(t0_s / $interval_s) END AS cell
    FROM energy
), marked AS (
    SELECT *, cell IS NULL OR coalesce(t0_s > max(t1_s) OVER (
        PARTITION BY cell, node, tier, component, state, service, origin, source, vague
        ORDER BY t0_s, t1_s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS opens
    FROM placed
), runs AS (
    SELECT *, sum(opens::INTEGER) OVER (
        PARTITION BY cell, node, tier, component, state, service, origin, source, vague
        ORDER BY t0_s, t1_s ROWS UNBOUNDED PRECEDING) AS run
    FROM marked
)
SELECT min(t0_s) AS t0_s, max(t1_s) AS t1_s, node, tier, component, state,
    fsum(energy_j) AS energy_j, origin, source, service,
    coalesce(sum(u95_frac * energy_j) / nullif(sum(energy_j), 0), max(u95_frac)) AS u95_frac
FROM runs
GROUP BY cell, run, node, tier, component, state, service, origin, source, vague
ORDER BY t0_s, t1_s, node, component, state, service, source, tier, origin, vague
