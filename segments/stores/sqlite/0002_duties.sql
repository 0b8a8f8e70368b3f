-- Duties, places and placings; leases of duties in place of those of shards (epochs go on); cameras by buckets, with stamps.
-- bucket_of is segments/shards.py's, known to every connection of ours.

DROP TABLE lease;

-- free: given back. expires_us is by the holder's wall clock, for people; renewals is what others watch.
CREATE TABLE lease (
    kind TEXT NOT NULL,
    shard INTEGER NOT NULL,
    shards INTEGER NOT NULL,
    holder TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    expires_us INTEGER NOT NULL,
    ttl_us INTEGER NOT NULL,
    renewals INTEGER NOT NULL,
    free INTEGER NOT NULL,
    previous_expires_us INTEGER NOT NULL,
    PRIMARY KEY (kind, shard, shards)
) STRICT, WITHOUT ROWID;

CREATE TABLE place (
    name TEXT NOT NULL PRIMARY KEY,
    url TEXT NOT NULL,
    kinds TEXT NOT NULL, -- a JSON list
    recorders INTEGER NOT NULL,
    room INTEGER NOT NULL,
    load INTEGER NOT NULL,
    spooled TEXT NOT NULL, -- a JSON list
    shards INTEGER NOT NULL,
    beat INTEGER NOT NULL,
    draining INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE placing (
    place TEXT NOT NULL,
    kind TEXT NOT NULL,
    shard INTEGER NOT NULL,
    shards INTEGER NOT NULL,
    standby INTEGER NOT NULL,
    PRIMARY KEY (place, kind, shard, shards)
) STRICT, WITHOUT ROWID;

ALTER TABLE camera ADD COLUMN twice INTEGER NOT NULL DEFAULT 0;
ALTER TABLE camera ADD COLUMN bucket INTEGER NOT NULL DEFAULT 0;
UPDATE camera SET bucket = bucket_of(id);
CREATE INDEX camera_in_bucket ON camera (bucket, id);

ALTER TABLE credential ADD COLUMN bucket INTEGER NOT NULL DEFAULT 0;
UPDATE credential SET bucket = bucket_of(camera);
CREATE INDEX credential_in_bucket ON credential (bucket, camera);

-- How often something in a bucket has changed.
CREATE TABLE camera_stamp (
    bucket INTEGER NOT NULL PRIMARY KEY,
    changes INTEGER NOT NULL
) STRICT;
INSERT INTO camera_stamp (bucket, changes) SELECT DISTINCT bucket, 1 FROM (SELECT bucket FROM camera UNION SELECT bucket FROM credential);
