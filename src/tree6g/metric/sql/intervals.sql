-- Effective tokens of one service on its averaging intervals, and its running sessions. Sessions stand
-- on the rows of output; while a node has none, on those of the prompts.
WITH cut AS (
    SELECT w.node, w.t0_s, w.t1_s, w.kind, w.model, w.amount, w.sessions,
           unnest(generate_series(floor(w.t0_s / $delta + 1e-9)::BIGINT,
                                  ceil(w.t1_s / $delta - 1e-9)::BIGINT - 1)) AS k
    FROM covered_work w JOIN inside USING (node)
    WHERE w.service = $service
), part AS (
    SELECT *, (least(t1_s, (k + 1) * $delta) - greatest(t0_s, k * $delta)) / (t1_s - t0_s) AS share,
           coalesce(sessions, 'nan'::DOUBLE) * share * (t1_s - t0_s) AS running_s
    FROM cut
)
SELECT node, k,
       coalesce(sum(amount * share * f.effective), 0) AS on_time,
       coalesce(sum(amount * share * f.all) FILTER (NOT contains(p.kind, '_lost')), 0) AS delivered,
       coalesce(sum(amount * share * f.all) FILTER (contains(p.kind, '_lost')), 0) AS lost,
       coalesce(sum(running_s) FILTER (p.kind = 'token_out'),
                sum(running_s) FILTER (p.kind IN ('token_in', 'token_in_cached')),
                'nan'::DOUBLE) AS session_s
FROM part p
JOIN factor f ON f.service = $service AND f.kind = p.kind AND f.model IS NOT DISTINCT FROM p.model
GROUP BY node, k
HAVING delivered + lost > 0
ORDER BY node, k
