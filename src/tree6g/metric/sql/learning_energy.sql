-- Joules that carry a service, by tier and round; a row that rounds cut is shared by time.
SELECT r.number, e.tier, sum(e.energy_j * (least(e.t1_s, r.t1_s) - greatest(e.t0_s, r.t0_s))
                             / (e.t1_s - e.t0_s)) AS energy_j
FROM energy e JOIN (SELECT unnest($1::BIGINT[]) AS number, unnest($2::DOUBLE[]) AS t0_s,
                           unnest($3::DOUBLE[]) AS t1_s) r
  ON e.t0_s < r.t1_s AND e.t1_s > r.t0_s
WHERE e.service = $4
GROUP BY ALL ORDER BY ALL;
