-- Every joule of equipment inside the boundary to a service, or to the reason why no service
-- answers for it.
CREATE OR REPLACE TEMP TABLE attributed AS
SELECT node, site, k, component, service, NULL::word AS reason, energy_j
FROM pool WHERE class = 'direct'
UNION ALL
SELECT p.node, p.site, p.k, p.component, u.service,
       (CASE WHEN u.service IS NOT NULL THEN NULL WHEN p.caused THEN 'no_demand'
             ELSE 'standby' END)::word,
       p.energy_j * coalesce(u.share, 1)
FROM pool p LEFT JOIN users u USING (node, k)
WHERE p.class = 'dynamic'
UNION ALL
SELECT p.node, p.site, p.k, p.component,
       CASE WHEN NOT ($rule = 'marginal' AND u.n_users > 1) THEN u.service END,
       (CASE WHEN u.service IS NULL THEN 'standby'
             WHEN $rule = 'marginal' AND u.n_users > 1 THEN 'shared_idle' END)::word,
       p.energy_j * CASE WHEN u.service IS NULL THEN 1
                         WHEN $rule IN ('equal', 'shapley') THEN 1.0 / u.n_users
                         ELSE u.share END
FROM pool p LEFT JOIN users u USING (node, k)
WHERE p.class = 'idle';
