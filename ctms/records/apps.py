from django.apps import AppConfig


class RecordsConfig(AppConfig):
    name = "ctms.records"
    label = "records"
    verbose_name = "Records"

    def ready(self) -> None:
        from ctms.records.bulk.jobs import register_bulk_job
        from ctms.records.fields.kinds import register_kinds

        register_kinds()
        register_bulk_job()
