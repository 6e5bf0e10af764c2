-- Bits of each node and service inside the boundary in covered time, and the use of the node that
-- they made. $1 start, $2 end of the window.
SELECT node, any_value(site), any_value(i.tier), service, kind,
    fsum(amount * (least(t1_s, $2) - greatest(t0_s, $1)) / (t1_s - t0_s)) AS amount,
    fsum(demand * (least(t1_s, $2) - greatest(t0_s, $1)) / (t1_s - t0_s)) AS demand
FROM covered_work JOIN inside AS i USING (node)
WHERE t1_s > $1 AND t0_s < $2 AND kind IN ('bit_dl', 'bit_ul', 'bit_late', 'bit_carried')
GROUP BY node, service, kind ORDER BY node, service, kind
