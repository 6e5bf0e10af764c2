-- Where the joules inside the boundary come from. $1 nodes inside, $2 start, $3 end.
SELECT origin::VARCHAR AS origin, source::VARCHAR AS source,
    sum(energy_j * (least(t1_s, $3) - greatest(t0_s, $2)) / (t1_s - t0_s)) AS energy_j
FROM energy
WHERE list_contains($1, node::VARCHAR) AND t1_s > $2 AND t0_s < $3
GROUP BY origin, source
ORDER BY origin, source
