-- What was recorded by day, packed (capacity/days.py). month: its first day; bucket: segments/shards.py.
CREATE TABLE usage_history (
    month TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (month, bucket)
) STRICT;
