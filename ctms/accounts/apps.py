from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "ctms.accounts"
    label = "accounts"
    verbose_name = "Users and security profiles"
