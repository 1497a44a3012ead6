# Two images: `vault`, the default, for web, worker and beat; and `sandbox`, which has the CRM sandbox and the demonstration
# besides. docker-compose.yml says which runs what.
FROM python:3.11-slim AS base

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=ctms.settings.production

WORKDIR /app

# For manage.py backup and restore: of Debian's release, whose version is that of the server in docker-compose.yml.
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client && rm -rf /var/lib/apt/lists/*

# Before the sources, so that a change of theirs does not install everything again.
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes --no-deps -r requirements.txt

RUN useradd --system --uid 10001 --home-dir /app --no-create-home vault \
    && mkdir var /data /backups \
    && chown vault var /data /backups


# Named one by one, so that nothing else of the folder (var/ holds secrets) can get into the images.
FROM scratch AS sources
COPY manage.py /
COPY gunicorn.conf.py /
COPY ctms /ctms
COPY connections /connections
COPY exceptions_log /exceptions_log
COPY activities /activities
COPY crm_sync /crm_sync
COPY templates /templates


FROM base AS sandbox
COPY .ci/requirements-demo.txt .ci/
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --require-hashes --no-deps -r .ci/requirements-demo.txt
COPY --from=sources / ./

USER vault


FROM base AS production-sources
COPY --from=sources / /sources/
RUN cd /sources && rm -r crm_sync/sandbox crm_sync/demo


FROM base AS vault
COPY --from=production-sources /sources ./

# The settings ask for values that collecting static files does not use; these are gone with this line.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
    FIELD_ENCRYPTION_KEYS="$(python manage.py create_encryption_key --settings ctms.settings.base)" \
    ALLOWED_HOSTS=unused VAULT_BASE_URL=https://unused DATABASE_URL=postgres://unused/unused REDIS_URL=redis://unused \
    python manage.py collectstatic --noinput --verbosity 0

USER vault
EXPOSE 8000
# What else it is told stands in gunicorn.conf.py.
CMD ["gunicorn", "ctms.wsgi", "--bind", "0.0.0.0:8000"]
