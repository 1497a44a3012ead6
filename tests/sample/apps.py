from django.apps import AppConfig


class SampleConfig(AppConfig):
    name = "tests.sample"
    label = "sample"

    def ready(self) -> None:
        from ctms.configuration.registry import NoStudy, VaultObject, register_object
        from tests.sample.models import Training

        register_object(
            VaultObject(
                model=Training,
                scope=NoStudy("people are trained for any study"),
                fields={
                    "trainee__v": "trainee",
                    "date__v": "date",
                    "hours__v": "hours",
                    "method__v": "method",
                    "passed__v": "passed",
                    "remarks__v": "remarks",
                },
            )
        )
