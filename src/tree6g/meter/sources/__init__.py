"""Sources, one file each: from what a system says to readings. Pure functions of its text."""
