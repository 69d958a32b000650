"""The forms of a SkyPilot task, one concern a module. The facts are in skypilot.yaml."""
