"""Matplotlib figures for notebooks and the README."""
