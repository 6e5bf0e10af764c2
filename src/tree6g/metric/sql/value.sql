-- Work of every service in its own worth: utility of linear profiles and of data services, and the
-- bits and tokens that figures report, per node and cell of the attribution grid.
CREATE OR REPLACE TEMP TABLE value AS
SELECT w.service, w.node, $grid_s AS grid_s, w.k,
       sum(w.amount * f.utility_beq) AS utility_beq,
       sum(w.amount * f.offered_beq) AS offered_beq,
       sum(w.amount * f.bits) AS bits_bit,
       sum(w.amount * f.effective) AS effective_tok,
       sum(CASE WHEN w.kind IN ('token_in', 'token_in_cached') THEN w.amount ELSE 0 END) AS in_tok,
       sum(CASE WHEN w.kind = 'token_out' THEN w.amount ELSE 0 END) AS out_tok,
       sum(CASE WHEN w.kind = 'token_late' THEN w.amount ELSE 0 END) AS late_tok,
       sum(CASE WHEN w.kind = 'request' THEN w.amount ELSE 0 END) AS request,
       sum(CASE WHEN w.kind = 'request_lost' THEN w.amount ELSE 0 END) AS request_lost,
       sum(CASE WHEN w.kind IN ('token_lost', 'token_in_lost', 'bit_lost') THEN w.amount ELSE 0 END)
           AS lost
FROM work_cells w
JOIN inside n USING (node)
JOIN factor f ON f.service = w.service AND f.kind = w.kind AND f.model IS NOT DISTINCT FROM w.model
GROUP BY ALL;
