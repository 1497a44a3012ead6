from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "ctms.accounts"
    label = "accounts"
    verbose_name = "Users and security profiles"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from ctms.accounts.sessions import note_log_in

        user_logged_in.connect(note_log_in)
