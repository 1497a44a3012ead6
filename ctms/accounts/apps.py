from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "ctms.accounts"
    label = "accounts"
    verbose_name = "Users and security profiles"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in
        from django.core.signals import got_request_exception

        from ctms.accounts.sessions import note_log_in
        from ctms.core.server_errors import forget_user

        got_request_exception.connect(forget_user)
        user_logged_in.connect(note_log_in)
