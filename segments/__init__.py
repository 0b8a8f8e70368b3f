"""Values, ports, errors, clock, commit, verify: the noun every other room is a verb on."""
