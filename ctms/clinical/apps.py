from django.apps import AppConfig


class ClinicalConfig(AppConfig):
    name = "ctms.clinical"
    label = "clinical"
    verbose_name = "Clinical operations"

    def ready(self) -> None:
        from ctms.clinical.objects import register_clinical_objects  # noqa: PLC0415  models are loaded only now

        register_clinical_objects()
