-- Work and demand per node, cell of the attribution grid, service, model and kind, as in
-- energy_cells.
CREATE OR REPLACE TEMP TABLE work_cells AS
SELECT node, service, model, kind, floor(t0_s / $grid_s + 1e-9)::BIGINT AS k,
       sum(amount) AS amount, sum(demand) AS demand
FROM covered_work
WHERE ceil(t1_s / $grid_s - 1e-9) - floor(t0_s / $grid_s + 1e-9) <= 1
GROUP BY ALL
UNION ALL
SELECT node, service, model, kind, k, sum(amount * part), sum(demand * part)
FROM (
    SELECT *, (least(t1_s, (k + 1) * $grid_s) - greatest(t0_s, k * $grid_s)) / (t1_s - t0_s) AS part
    FROM (
        SELECT *, unnest(generate_series(floor(t0_s / $grid_s + 1e-9)::BIGINT,
                                         ceil(t1_s / $grid_s - 1e-9)::BIGINT - 1)) AS k
        FROM covered_work
        WHERE ceil(t1_s / $grid_s - 1e-9) - floor(t0_s / $grid_s + 1e-9) > 1
    )
)
GROUP BY ALL;
