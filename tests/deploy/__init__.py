"""Tests of the embedded launcher and the command line."""
