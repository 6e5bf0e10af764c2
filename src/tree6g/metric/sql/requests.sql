-- Finished requests of one service with their effective tokens and the span of their stream.
SELECT r.node, coalesce(r.ue, r.id) AS ue, r.id,
       r.arrival_s + r.ttft_s AS first_s, r.arrival_s + r.e2e_s AS last_s,
       (r.token_in - coalesce(r.token_in_late, 0)) * coalesce(i.effective, 0)
         + (r.token_out - r.token_late) * coalesce(o.effective, 0) AS on_time,
       r.token_in * coalesce(i.effective, 0) + r.token_out * coalesce(o.effective, 0) AS offered
FROM listed_request r
JOIN inside USING (node)
LEFT JOIN factor i ON i.service = r.service AND i.kind = 'token_in'
                  AND i.model IS NOT DISTINCT FROM r.model
LEFT JOIN factor o ON o.service = r.service AND o.kind = 'token_out'
                  AND o.model IS NOT DISTINCT FROM r.model
WHERE r.service = $service
ORDER BY r.id
