"""How schemathesis sends and reads what is not JSON: as it is."""

import schemathesis


@schemathesis.serializer(
    "application/toml", "application/vnd.apache.parquet", "application/x-ndjson", "text/csv")
def as_it_is(_, value):
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@schemathesis.deserializer("application/octet-stream", "application/vnd.apache.parquet")
def as_bytes(_, response):
    return response.content.decode(errors="replace")
