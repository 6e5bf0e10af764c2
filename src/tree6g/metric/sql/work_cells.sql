-- Work and demand per node, cell of the attribution grid, service, kind and, where a factor of the
-- header goes by it, model. Rows inside one cell go there whole; `long` marks those over several.
CREATE OR REPLACE TEMP TABLE work_cells AS
SELECT COLUMNS($keys)::word, k::BIGINT AS k, long, amount, demand
FROM (
    SELECT COLUMNS($keys),
           floor(t0_s / $grid_s + 1e-9) AS k, t1_s > (k + 1 + 1e-9) * $grid_s AS long,
           sum(amount) AS amount, sum(demand) AS demand
    FROM covered_work
    GROUP BY ALL
);
ALTER TABLE work_cells ADD COLUMN IF NOT EXISTS model word;
