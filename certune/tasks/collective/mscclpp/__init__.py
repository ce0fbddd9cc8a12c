"""MSCCL++ execution plans: read, verified as the executor runs them, written."""
