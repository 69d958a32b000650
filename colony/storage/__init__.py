"""Where a backend keeps its state is where the records of its colonies are kept.

    urls.py          which storage a backend's URL names; wrong ones are refused by name
    base.py          what every storage does: read, write under a condition, list, delete
    folder.py        file://
    s3.py            s3://
    gcs.py           gs://
    azblob.py        azblob://
    pulumi_cloud.py  https://: a stack's tags
    opening.py       URL -> storage

A client library is imported by its own file alone, and only when such a backend is opened.
"""
