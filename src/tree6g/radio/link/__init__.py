"""From positions to rates: SINR, attenuated Shannon capacity, a radio step of a whole network."""
