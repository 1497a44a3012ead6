from django.apps import AppConfig


class SampleConfig(AppConfig):
    name = "tests.sample"
    label = "sample"

    def ready(self) -> None:
        from ctms.configuration.registry import InStudy, NoStudy, ObjectType, VaultObject, register_object
        from tests.sample.models import Deviation, Training

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
        register_object(
            VaultObject(
                model=Deviation,
                scope=InStudy(),
                object_types=(
                    ObjectType(api_name="minor__v", label="Minor"),
                    ObjectType(api_name="major__v", label="Major"),
                ),
                fields={"trial__v": "trial", "location__v": "location", "visit__v": "visit", "witness__v": "witness"},
            )
        )
