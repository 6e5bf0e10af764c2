-- Rows of work over several cells: prorated by time, in place of their sums.
DELETE FROM work_cells WHERE long;
INSERT INTO work_cells BY NAME
SELECT node, service, kind, model, k, FALSE AS long,
       sum(amount * part) AS amount, sum(demand * part) AS demand
FROM (
    SELECT *, (least(t1_s, (k + 1) * $grid_s) - greatest(t0_s, k * $grid_s)) / (t1_s - t0_s) AS part
    FROM (
        SELECT node, service, kind, model, amount, demand, t0_s, t1_s,
               unnest(generate_series(floor(t0_s / $grid_s + 1e-9)::BIGINT,
                                      ceil(t1_s / $grid_s - 1e-9)::BIGINT - 1)) AS k
        FROM covered_work
        WHERE t1_s > (floor(t0_s / $grid_s + 1e-9) + 1 + 1e-9) * $grid_s
    )
)
GROUP BY ALL;
