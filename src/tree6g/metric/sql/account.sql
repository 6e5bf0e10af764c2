-- Utility, work and energy in one list, each with its share of a window: what every grouping sums.
CREATE OR REPLACE TEMP VIEW account AS
SELECT v.node, v.service, NULL::word AS reason, p.window_s,
       v.utility_beq * p.share AS utility_beq, v.offered_beq * p.share AS offered_beq,
       v.bits_bit * p.share AS bits_bit, v.effective_tok * p.share AS effective_tok,
       v.in_tok * p.share AS in_tok, v.out_tok * p.share AS out_tok,
       v.late_tok * p.share AS late_tok, v.request * p.share AS request,
       v.request_lost * p.share AS request_lost, v.lost * p.share AS lost, 0.0 AS energy_j
FROM value v JOIN piece p ON p.grid_s = v.grid_s AND p.k = v.k
UNION ALL
SELECT a.node, a.service, a.reason, p.window_s, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a.energy_j * p.share
FROM attributed a JOIN piece p ON p.grid_s = $grid_s AND p.k = a.k;
