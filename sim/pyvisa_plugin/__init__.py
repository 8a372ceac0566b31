"""The door through which PyVISA finds the virtual lab as ``@onnes``."""

from onnes.sim.visa import OnnesVisaLibrary

WRAPPER_CLASS = OnnesVisaLibrary
