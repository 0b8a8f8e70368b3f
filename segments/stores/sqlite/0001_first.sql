-- The first schema. Partitions and clustering keys are those of a wide-column store; nothing is read across partitions.

-- Rows of a camera-day (day: UTC date of start_us). fragments: segments/row_codec.py.
CREATE TABLE segment_row (
    camera TEXT NOT NULL,
    day TEXT NOT NULL,
    start_us INTEGER NOT NULL,
    run TEXT NOT NULL,
    counter INTEGER NOT NULL,
    end_us INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    pool TEXT NOT NULL,
    object_key TEXT NOT NULL,
    object_version TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    codecs TEXT NOT NULL,
    clock_synced INTEGER NOT NULL,
    fragments BLOB NOT NULL,
    PRIMARY KEY (camera, day, start_us, run, counter)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    camera TEXT NOT NULL,
    id TEXT NOT NULL,
    start_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    init BLOB NOT NULL,
    codecs TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    end_cause TEXT NOT NULL,
    notes TEXT NOT NULL, -- a JSON list
    PRIMARY KEY (camera, id)
) STRICT, WITHOUT ROWID;

-- Each run in every camera-month it has footage in (month: its first day).
CREATE TABLE run_in_month (
    camera TEXT NOT NULL,
    month TEXT NOT NULL,
    start_us INTEGER NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (camera, month, start_us, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE state_change (
    camera TEXT NOT NULL,
    month TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    state TEXT NOT NULL,
    cause TEXT,
    detail TEXT NOT NULL,
    PRIMARY KEY (camera, month, at_us)
) STRICT, WITHOUT ROWID;

CREATE TABLE batch (
    camera TEXT NOT NULL,
    day TEXT NOT NULL,
    state TEXT NOT NULL,
    decided_us INTEGER NOT NULL,
    PRIMARY KEY (camera, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE camera (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    camera_class INTEGER NOT NULL,
    area TEXT NOT NULL,
    owner TEXT NOT NULL,
    latitude REAL,
    longitude REAL,
    tier TEXT NOT NULL,
    tags TEXT NOT NULL, -- a JSON list
    enabled INTEGER NOT NULL,
    sound TEXT NOT NULL,
    transport TEXT NOT NULL,
    trust_clock INTEGER NOT NULL,
    pool TEXT NOT NULL,
    added_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Each camera in every area it lies in ('' is the whole archive), once in its class and once in 0, which stands for any class.
CREATE TABLE camera_in_area (
    area TEXT NOT NULL,
    camera_class INTEGER NOT NULL,
    camera TEXT NOT NULL,
    PRIMARY KEY (area, camera_class, camera)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
    camera TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
    shard INTEGER NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    previous_expires_us INTEGER NOT NULL
) STRICT;

-- The highest epoch given out: one line.
CREATE TABLE epoch (
    highest INTEGER NOT NULL
) STRICT;
INSERT INTO epoch (highest) VALUES (0);
