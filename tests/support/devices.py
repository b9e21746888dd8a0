"""The devices of a test's runs."""

from benchmarks.planning.plan import Device

CPU = {"keras": Device("tensorflow", "cpu"), "torch": Device("torch", "cpu")}
