"""Attacks on measurement: each script is a program that `certune.sandbox.attacks.measured` runs."""
