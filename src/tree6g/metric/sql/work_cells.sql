-- Work and demand per node, cell of the attribution grid, service, kind and, where a factor of the
-- header goes by it, model, in one pass. Rows inside one cell are summed there; those over several,
-- [a_s, b_s), are prorated by time.
CREATE OR REPLACE TEMP TABLE work_rows AS
SELECT COLUMNS($keys), floor(t0_s / $grid_s + 1e-9) AS k,
       CASE WHEN t1_s > (k + 1 + 1e-9) * $grid_s THEN t0_s END AS a_s,
       CASE WHEN t1_s > (k + 1 + 1e-9) * $grid_s THEN t1_s END AS b_s,
       sum(amount) AS amount, sum(demand) AS demand
FROM covered_work
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE work_cells AS
SELECT COLUMNS($keys)::word, k::BIGINT AS k, amount, demand
FROM work_rows WHERE a_s IS NULL
UNION ALL
SELECT COLUMNS($keys)::word, k, amount * part, demand * part
FROM (
    SELECT *, (least(b_s, (k + 1) * $grid_s) - greatest(a_s, k * $grid_s)) / (b_s - a_s) AS part
    FROM (
        SELECT * REPLACE (unnest(generate_series(k::BIGINT,
                                                 ceil(b_s / $grid_s - 1e-9)::BIGINT - 1)) AS k)
        FROM work_rows WHERE a_s IS NOT NULL
    )
);
ALTER TABLE work_cells ADD COLUMN IF NOT EXISTS model word;
