-- Work in its own worth: utility of linear profiles and of data services, and the bits and tokens that
-- figures report, by node and cell of the attribution grid; utility that is not linear beside it, on
-- averaging intervals of its own.
CREATE OR REPLACE TEMP VIEW value AS
SELECT w.service, w.node, $grid_s AS grid_s, w.k,
       w.amount * f.utility_beq AS utility_beq, w.amount * f.offered_beq AS offered_beq,
       w.amount * f.bits AS bits_bit, w.amount * f.effective AS effective_tok,
       CASE WHEN w.kind IN ('token_in', 'token_in_cached') THEN w.amount ELSE 0 END AS in_tok,
       CASE WHEN w.kind = 'token_out' THEN w.amount ELSE 0 END AS out_tok,
       CASE WHEN w.kind = 'token_late' THEN w.amount ELSE 0 END AS late_tok,
       CASE WHEN w.kind = 'request' THEN w.amount ELSE 0 END AS request,
       CASE WHEN w.kind = 'request_lost' THEN w.amount ELSE 0 END AS request_lost,
       CASE WHEN w.kind IN ('token_lost', 'token_in_lost', 'bit_lost') THEN w.amount ELSE 0 END AS lost
FROM work_cells w
JOIN inside n USING (node)
JOIN factor f ON f.service = w.service AND f.kind = w.kind AND f.model IS NOT DISTINCT FROM w.model
UNION ALL
SELECT service, node, grid_s, k, utility_beq, offered_beq, 0, 0, 0, 0, 0, 0, 0, 0 FROM curved;
