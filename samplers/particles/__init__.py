"""Particles that move together: AIS, SMC, SVGD, transport, nested sampling."""
