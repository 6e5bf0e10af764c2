"""From positions to rates: SINR, attenuated Shannon capacity, and a radio step of a whole network."""
