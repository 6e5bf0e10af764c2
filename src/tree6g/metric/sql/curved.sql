-- Utility that is not linear, on the averaging intervals of its service; filled service by service.
CREATE OR REPLACE TEMP TABLE curved (
    service word, node word, grid_s DOUBLE, k BIGINT, utility_beq DOUBLE, offered_beq DOUBLE
);
