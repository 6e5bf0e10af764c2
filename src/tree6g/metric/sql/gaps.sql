-- Times that a source did not cover. $1 start, $2 end.
SELECT t0_s, t1_s, source::VARCHAR AS source, quantity::VARCHAR AS quantity,
    node::VARCHAR AS node, reason::VARCHAR AS reason
FROM coverage
WHERE status = 'gap' AND t1_s > $1 AND t0_s < $2
ORDER BY t0_s, t1_s, source, quantity, node
