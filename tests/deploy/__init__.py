"""Tests of what carries the product to machines: manifests, images, units."""
