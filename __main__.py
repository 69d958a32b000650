"""Serves the components to programs in any language (`pulumi package add`)."""

from importlib.metadata import version

from pulumi.provider.experimental import component_provider_host

from components.colony import Colony
from components.training_job import TrainingJob

if __name__ == "__main__":
    component_provider_host([Colony, TrainingJob], name="colony", version=version("colony"))
