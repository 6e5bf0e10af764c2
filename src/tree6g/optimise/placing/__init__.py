"""From a scenario to a placement of its AI services, and back to a scenario that can be run."""
