"""Create the bucket of the store, where it is not there yet: for the S3 server of compose.yaml, which starts empty.

Stoker itself never creates a bucket: in a cloud that belongs to whoever sets owner, policy and encryption.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow.providers.amazon.aws.hooks.s3 import S3Hook

from stoker.hooks.registry import StokerHook

if __name__ == "__main__":
    settings = StokerHook().settings
    bucket = urlsplit(settings.store).netloc
    s3 = S3Hook(aws_conn_id=settings.aws_conn_id)
    if not s3.check_for_bucket(bucket):
        s3.create_bucket(bucket)
