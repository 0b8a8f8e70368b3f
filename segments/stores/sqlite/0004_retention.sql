-- Retention: more about batches, their rows, receipts and records.

-- since_us: when its state began; listed_us: when its rows were listed; policy: the version of the newest one that counted.
ALTER TABLE batch ADD COLUMN since_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch ADD COLUMN listed_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch ADD COLUMN policy INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batch ADD COLUMN finding TEXT NOT NULL DEFAULT '';

-- Rows of a batch, some hundred in one body (segments/stores/packed_rows.py), under the start of the last and the SHA-256 of the body.
-- decided_us tells the batches of a camera-day apart.
CREATE TABLE batch_rows (
    camera TEXT NOT NULL,
    day TEXT NOT NULL,
    decided_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    digest BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (camera, day, decided_us, last_us, digest)
) STRICT;

-- month: the first day of that of `day`; spans: a JSON list of [start, end] in microseconds; text: canonical JSON (segments/receipt.py),
-- compressed by zlib. The long text is last, so that what comes before it is read without it.
CREATE TABLE receipt (
    chain TEXT NOT NULL,
    number INTEGER NOT NULL,
    camera TEXT NOT NULL,
    month TEXT NOT NULL,
    day TEXT NOT NULL,
    spans TEXT NOT NULL,
    text BLOB NOT NULL,
    PRIMARY KEY (chain, number)
) STRICT;
CREATE INDEX receipt_of_camera ON receipt (camera, month, day, chain, number);

CREATE TABLE record (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    text TEXT NOT NULL, -- JSON
    PRIMARY KEY (kind, id)
) STRICT;
