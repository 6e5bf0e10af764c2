"""Raw scrapes kept as they came, with their times: to be played back, or read again later."""
