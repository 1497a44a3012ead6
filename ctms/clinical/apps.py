from django.apps import AppConfig


class ClinicalConfig(AppConfig):
    name = "ctms.clinical"
    label = "clinical"
    verbose_name = "Clinical operations"

    def ready(self) -> None:
        from ctms.clinical.calendar import register_visits
        from ctms.clinical.notices import register_clinical_notices
        from ctms.clinical.objects.registering import register_clinical_objects
        from ctms.clinical.reports import register_clinical_reports
        from ctms.clinical.sources import register_clinical_sources

        register_clinical_objects()
        register_clinical_sources()
        register_clinical_reports()
        register_visits()
        register_clinical_notices()
