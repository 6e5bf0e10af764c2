-- Effective tokens of one service on its averaging intervals, and its running sessions.
WITH cut AS (
    SELECT w.node, w.t0_s, w.t1_s, w.kind, w.model, w.amount, w.sessions,
           unnest(generate_series(floor(w.t0_s / $delta + 1e-9)::BIGINT,
                                  ceil(w.t1_s / $delta - 1e-9)::BIGINT - 1)) AS k
    FROM covered_work w JOIN inside USING (node)
    WHERE w.service = $service
), part AS (
    SELECT *, (least(t1_s, (k + 1) * $delta) - greatest(t0_s, k * $delta)) / (t1_s - t0_s) AS share
    FROM cut
)
SELECT node, k,
       coalesce(sum(amount * share * f.effective), 0) AS on_time,
       coalesce(sum(amount * share * f.all), 0) AS offered,
       coalesce(sum(sessions * share * (t1_s - t0_s)) FILTER (p.kind = 'token_out'), 'nan'::DOUBLE)
           AS session_s
FROM part p
JOIN factor f ON f.service = $service AND f.kind = p.kind AND f.model IS NOT DISTINCT FROM p.model
GROUP BY node, k
HAVING offered > 0
ORDER BY node, k
