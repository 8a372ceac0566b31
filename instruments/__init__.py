"""Drivers, capability protocols, limits, errors, the clock, the records and the station."""
