-- Rows of work over several cells, prorated by time, into work_cells.
INSERT INTO work_cells
SELECT node::word, service::word, model::word, kind::word, k, sum(amount * part), sum(demand * part)
FROM (
    SELECT *, (least(t1_s, (k + 1) * $grid_s) - greatest(t0_s, k * $grid_s)) / (t1_s - t0_s) AS part
    FROM (
        SELECT node, service, model, kind, amount, demand,
               t0_s, t1_s, unnest(generate_series(floor(t0_s / $grid_s + 1e-9)::BIGINT,
                                                  ceil(t1_s / $grid_s - 1e-9)::BIGINT - 1)) AS k
        FROM covered_work
        WHERE ceil(t1_s / $grid_s - 1e-9) - floor(t0_s / $grid_s + 1e-9) > 1
    )
)
GROUP BY ALL;
