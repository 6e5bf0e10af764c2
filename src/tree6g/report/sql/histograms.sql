-- Waiting times where only histograms are known: events per bucket, prorated. $1 start, $2 end.
SELECT service::VARCHAR AS service, kind::VARCHAR AS kind, le_s,
    sum(count * (least(t1_s, $2) - greatest(t0_s, $1)) / (t1_s - t0_s)) AS count
FROM latency
WHERE t1_s > $1 AND t0_s < $2
GROUP BY service, kind, le_s
ORDER BY service, kind, le_s
