"""The virtual lab: closed-form plant, wiring, instruments on the wire and their doors."""
