-- Time of each cell's carriers, used and available. $1 start, $2 end of the window.
SELECT node, kind,
    fsum(used_s * (least(t1_s, $2) - greatest(t0_s, $1)) / (t1_s - t0_s)) AS used_s,
    fsum(available_s * (least(t1_s, $2) - greatest(t0_s, $1)) / (t1_s - t0_s)) AS available_s
FROM prb
WHERE t1_s > $1 AND t0_s < $2
GROUP BY node, kind ORDER BY node, kind
