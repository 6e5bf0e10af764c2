-- Bits of a service, by kind and round; a row that rounds cut is shared by time.
SELECT r.number, w.kind, sum(w.amount * (least(w.t1_s, r.t1_s) - greatest(w.t0_s, r.t0_s))
                             / (w.t1_s - w.t0_s)) AS bit
FROM work w JOIN (SELECT unnest($1::BIGINT[]) AS number, unnest($2::DOUBLE[]) AS t0_s,
                         unnest($3::DOUBLE[]) AS t1_s) r
  ON w.t0_s < r.t1_s AND w.t1_s > r.t0_s
WHERE w.service = $4 AND w.kind IN ('bit_ul', 'bit_dl', 'bit_carried')
GROUP BY ALL ORDER BY ALL;
