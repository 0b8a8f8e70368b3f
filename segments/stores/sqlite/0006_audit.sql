-- The register. text: canonical JSON (segments/audit_line.py). act: 1 for an act, 0 for a tie of chains.
CREATE TABLE audit_line (
    chain TEXT NOT NULL,
    number INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    act INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (chain, number)
) STRICT;
CREATE INDEX audit_of_time ON audit_line (at_us, chain, number) WHERE act = 1;

-- Which acts there are on a camera.
CREATE TABLE audit_of_camera (
    camera TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    chain TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (camera, at_us, chain, number)
) STRICT, WITHOUT ROWID;
