-- Joules of each node inside the boundary in covered time. $1 start, $2 end of the window.
SELECT node, any_value(site), any_value(i.tier),
    fsum(energy_j * (least(t1_s, $2) - greatest(t0_s, $1)) / (t1_s - t0_s)) AS energy_j
FROM covered_energy JOIN inside AS i USING (node)
WHERE t1_s > $1 AND t0_s < $2
GROUP BY node ORDER BY node
