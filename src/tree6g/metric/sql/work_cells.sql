-- Work and demand per node, cell of the attribution grid, service, kind and, where a factor of the
-- header goes by it, model. Rows inside one cell go there whole; n > 1 marks those over several.
CREATE OR REPLACE TEMP TABLE work_cells AS
SELECT COLUMNS($keys)::word, k::BIGINT AS k, n > 1 AS long, amount, demand
FROM (
    SELECT COLUMNS($keys),
           floor(t0_s / $grid_s + 1e-9) AS k, ceil(t1_s / $grid_s - 1e-9) - k AS n,
           sum(amount) AS amount, sum(demand) AS demand
    FROM covered_work
    GROUP BY ALL
);
ALTER TABLE work_cells ADD COLUMN IF NOT EXISTS model word;
