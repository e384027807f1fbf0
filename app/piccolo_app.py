"""Every table of the house, for piccolo and for the test that compares them with PostgreSQL."""

from piccolo.conf.apps import AppConfig, table_finder

from app.infra.migrations import APP_NAME, FOLDER

TABLES = table_finder(
    modules=[
        "app.infra.tables",
        "app.accounts.tables",
        "app.audit.tables",
        "app.catalog.tables",
        "app.interactions.tables",
        "app.reports.tables",
        "app.chat.tables",
    ]
)

APP_CONFIG = AppConfig(app_name=APP_NAME, migrations_folder_path=str(FOLDER), table_classes=TABLES)
