-- Site overhead follows the joules of its own node, else those of its site; with none, standby.
CREATE OR REPLACE TEMP TABLE follow AS
WITH overhead AS (
    SELECT node, site, k, component, sum(energy_j) AS energy_j
    FROM pool WHERE class = 'overhead' GROUP BY ALL
), own AS (
    SELECT node, k, service, reason, sum(energy_j) AS energy_j
    FROM attributed WHERE node IN (SELECT node FROM overhead)
    GROUP BY ALL HAVING sum(energy_j) > 0
), lonely AS (
    FROM overhead ANTI JOIN own USING (node, k)
), place AS (
    SELECT site, k, service, reason, sum(energy_j) AS energy_j
    FROM attributed SEMI JOIN lonely USING (site, k)
    GROUP BY ALL HAVING sum(energy_j) > 0
)
SELECT o.node, o.site, o.k, o.component, p.service, p.reason, o.energy_j * p.energy_j / w.energy_j
FROM overhead o
JOIN own p USING (node, k)
JOIN (SELECT node, k, sum(energy_j) AS energy_j FROM own GROUP BY ALL) w USING (node, k)
UNION ALL
SELECT l.node, l.site, l.k, l.component, p.service,
       CASE WHEN p.site IS NULL THEN 'standby'::word ELSE p.reason END,
       l.energy_j * coalesce(p.energy_j / w.energy_j, 1)
FROM lonely l
LEFT JOIN place p USING (site, k)
LEFT JOIN (SELECT site, k, sum(energy_j) AS energy_j FROM place GROUP BY ALL) w USING (site, k);
INSERT INTO attributed FROM follow;
