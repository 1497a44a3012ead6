from django.apps import AppConfig


class ActivitiesConfig(AppConfig):
    name = "activities"
    verbose_name = "Activities"

    def ready(self) -> None:
        from activities.calendar import register_planned_activities
        from activities.contacts.changes import register_contact_listeners
        from activities.contacts.notices import register_contact_notices
        from activities.declined import register_declined_listeners
        from activities.home.panels import register_activity_panels
        from activities.jobs import register_generate_job
        from activities.notices import register_activity_notices
        from activities.objects import register_activity_objects
        from activities.reports import register_activity_reports
        from activities.sources import register_source_listeners
        from activities.steps import register_activity_steps
        from activities.templates import register_activity_templates
        from activities.timelines import register_timelines

        register_activity_objects()
        register_activity_templates()
        register_activity_notices()
        register_activity_panels()
        register_activity_steps()
        register_source_listeners()
        register_declined_listeners()
        register_contact_listeners()
        register_contact_notices()
        register_generate_job()
        register_activity_reports()
        register_planned_activities()
        register_timelines()
