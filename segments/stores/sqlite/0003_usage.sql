-- What camera-days keep, by pool, counted from segment_row. month: its first day; bucket: segments/shards.py.
CREATE TABLE usage_sum (
    month TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    camera TEXT NOT NULL,
    day TEXT NOT NULL,
    pool TEXT NOT NULL,
    segments INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    PRIMARY KEY (month, bucket, camera, day, pool)
) STRICT, WITHOUT ROWID;
