-- Work rows that touch or overlap within one cell of the grid, added up; as coarse_energy.sql.
-- Known and unknown sessions, demand and uncertainty are never mixed. Sessions are a mean over
-- time, so session-seconds are what adds up.
WITH placed AS (
    SELECT *, [sessions IS NULL, demand IS NULL, u95_frac IS NULL] AS vague,
        CASE WHEN t1_s <= (floor(t0_s / $interval_s) + 1) * $interval_s
            THEN floor(t0_s / $interval_s) END AS cell
    FROM work
), marked AS (
    SELECT *, cell IS NULL OR coalesce(t0_s > max(t1_s) OVER (
        PARTITION BY cell, node, tier, service, model, kind, demand_unit, origin, source, vague
        ORDER BY t0_s, t1_s ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS opens
    FROM placed
), runs AS (
    SELECT *, sum(opens::INTEGER) OVER (
        PARTITION BY cell, node, tier, service, model, kind, demand_unit, origin, source, vague
        ORDER BY t0_s, t1_s ROWS UNBOUNDED PRECEDING) AS run
    FROM marked
)
SELECT min(t0_s) AS t0_s, max(t1_s) AS t1_s, node, tier, service, kind, fsum(amount) AS amount,
    origin, source, model,
    sum(sessions * (t1_s - t0_s)) / (max(t1_s) - min(t0_s)) AS sessions,
    fsum(demand) AS demand, demand_unit,
    coalesce(sum(u95_frac * amount) / nullif(sum(amount), 0), max(u95_frac)) AS u95_frac
FROM runs
GROUP BY cell, run, node, tier, service, model, kind, demand_unit, origin, source, vague
ORDER BY t0_s, t1_s, node, service, kind, model, demand_unit, source, tier, origin, vague
