-- Joules that carry a service, by tier and round; a row that several rounds touch is shared by the time in which each
-- of them was at work, and by time alone where none was.
WITH round AS (SELECT unnest($1::BIGINT[]) AS number, unnest($2::DOUBLE[]) AS t0_s, unnest($3::DOUBLE[]) AS t1_s,
                      unnest($4::DOUBLE[]) AS next_s),
     line AS (SELECT row_number() OVER () AS id, tier, energy_j, t0_s, t1_s FROM energy
              WHERE service = $5),
     part AS (SELECT r.number, l.*, (least(l.t1_s, r.next_s) - greatest(l.t0_s, r.t0_s)) / (l.t1_s - l.t0_s) AS in_frac,
                     greatest(least(l.t1_s, r.t1_s) - greatest(l.t0_s, r.t0_s), 0.0) AS busy_s
              FROM line l JOIN round r ON l.t0_s < r.next_s AND l.t1_s > r.t0_s),
     shared AS (SELECT *, sum(busy_s) OVER (PARTITION BY id) AS all_busy_s FROM part)
SELECT number, tier,
       sum(energy_j * CASE WHEN all_busy_s > 0.0 THEN busy_s / all_busy_s ELSE in_frac END) AS energy_j
FROM shared GROUP BY ALL ORDER BY ALL;
