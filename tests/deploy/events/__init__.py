"""Tests of `tonetouch events`."""
