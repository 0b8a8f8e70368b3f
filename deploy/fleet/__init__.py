"""Fleets: what starts and watches the processes of a site."""
