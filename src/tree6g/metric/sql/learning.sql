-- Joules by tier and bits by kind that carry a service, by round. A row that several rounds touch is shared by the time
-- in which each of them was at work, and by time alone where none was.
WITH round AS (SELECT unnest($1::BIGINT[]) AS number, unnest($2::DOUBLE[]) AS t0_s, unnest($3::DOUBLE[]) AS t1_s,
                      unnest($4::DOUBLE[]) AS next_s),
     line AS (SELECT row_number() OVER () AS id, *
              FROM (SELECT 'energy' AS what, tier AS name, energy_j AS amount, t0_s, t1_s FROM energy
                    WHERE service = $5
                    UNION ALL
                    SELECT 'bit', kind, amount, t0_s, t1_s FROM work
                    WHERE service = $5 AND kind IN ('bit_ul', 'bit_dl', 'bit_carried'))),
     part AS (SELECT r.number, l.*, (least(l.t1_s, r.next_s) - greatest(l.t0_s, r.t0_s)) / (l.t1_s - l.t0_s) AS in_frac,
                     greatest(least(l.t1_s, r.t1_s) - greatest(l.t0_s, r.t0_s), 0.0) AS busy_s
              FROM line l JOIN round r ON l.t0_s < r.next_s AND l.t1_s > r.t0_s),
     shared AS (SELECT *, sum(busy_s) OVER (PARTITION BY id) AS all_busy_s FROM part)
SELECT what, number, name,
       sum(amount * CASE WHEN all_busy_s > 0.0 THEN busy_s / all_busy_s ELSE in_frac END) AS amount
FROM shared GROUP BY ALL ORDER BY ALL;
