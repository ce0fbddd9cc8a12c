"""Measuring on devices: the same interface as on the CPU, with the judge's memory on both."""

from certune.sandbox.gpu.bench import GPU_LIMITS, GpuBench, GpuBout
from certune.sandbox.gpu.device import Cuda, Device, Host

__all__ = ["GPU_LIMITS", "Cuda", "Device", "GpuBench", "GpuBout", "Host"]
