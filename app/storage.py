"""Which file storage and which limits the settings mean."""

from datetime import timedelta

from app.settings import Settings
from domain.files_keep import FileLimits
from jobs.storage import ObjectStorage, S3Access, open_storage


def file_storage(settings: Settings) -> ObjectStorage:
    """The bucket or directory of WEIR_FILES_URL, else `files` in the data directory."""
    if settings.files_url is None:
        return ObjectStorage(directory=settings.data_dir / "files")
    access = S3Access(
        endpoint=settings.files_s3_endpoint,
        region=settings.files_s3_region,
        access_key=settings.files_s3_access_key,
        secret_key=settings.files_s3_secret_key,
    )
    return open_storage(settings.files_url, access)


def file_limits(settings: Settings) -> FileLimits:
    kept = settings.file_retention_seconds
    return FileLimits(
        max_bytes=settings.max_file_bytes,
        quota_bytes=settings.file_quota_bytes,
        retention=timedelta(seconds=kept) if kept else None,
    )
