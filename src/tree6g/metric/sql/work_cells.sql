-- Work, demand and running sessions per node, cell of the attribution grid, service, model, kind.
CREATE OR REPLACE TEMP TABLE work_cells AS
SELECT node, k, service, model, kind, demand_unit,
       sum(amount) AS amount, sum(demand) AS demand, sum(sessions * span_s) AS session_s
FROM (
    SELECT node, service, model, kind, demand_unit, amount, demand, sessions,
           t1_s - t0_s AS span_s,
           floor(t0_s / $grid_s + 1e-9)::BIGINT AS k
    FROM covered_work
    WHERE ceil(t1_s / $grid_s - 1e-9) - floor(t0_s / $grid_s + 1e-9) <= 1
    UNION ALL
    SELECT node, service, model, kind, demand_unit, amount * part, demand * part, sessions,
           (t1_s - t0_s) * part, k
    FROM (
        SELECT *, (least(t1_s, (k + 1) * $grid_s) - greatest(t0_s, k * $grid_s)) / (t1_s - t0_s) AS part
        FROM (
            SELECT *, unnest(generate_series(floor(t0_s / $grid_s + 1e-9)::BIGINT,
                                             ceil(t1_s / $grid_s - 1e-9)::BIGINT - 1)) AS k
            FROM covered_work
            WHERE ceil(t1_s / $grid_s - 1e-9) - floor(t0_s / $grid_s + 1e-9) > 1
        )
    )
)
GROUP BY ALL;
