-- The wallet's database, version 1. Values are `[version, state]` in CBOR (versioned.rs).

CREATE TABLE purchases (
    id           BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    card         BLOB NOT NULL,
    created      INTEGER NOT NULL,
    updated      INTEGER NOT NULL,
    state        TEXT NOT NULL,
    ended        INTEGER NOT NULL CHECK (ended IN (0, 1)),
    invoice_hash BLOB UNIQUE,
    trouble      TEXT,
    value        BLOB NOT NULL
) STRICT;

CREATE INDEX purchases_open ON purchases (created) WHERE ended = 0;

-- Invariant R at P allows one credit per purpose and number.
CREATE TABLE credits (
    purpose INTEGER NOT NULL,
    credit  BLOB NOT NULL CHECK (length(credit) = 16),
    card    BLOB NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    state   TEXT NOT NULL,
    ended   INTEGER NOT NULL CHECK (ended IN (0, 1)),
    trouble TEXT,
    value   BLOB NOT NULL,
    PRIMARY KEY (purpose, credit)
) STRICT;

-- Records of cards that P has answered for: receipt 53, suspense notice or acknowledgement.
CREATE TABLE deliveries (
    record_hash BLOB PRIMARY KEY,
    card        BLOB NOT NULL,
    record      BLOB NOT NULL,
    answer      BLOB NOT NULL,
    time        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE shops (
    url   TEXT PRIMARY KEY,
    name  TEXT,
    added INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which key of P is known to be on cards of this issuer, by generation.
CREATE TABLE payment_keys (
    issuer     BLOB NOT NULL,
    generation INTEGER NOT NULL,
    key        BLOB NOT NULL,
    PRIMARY KEY (issuer, generation)
) STRICT, WITHOUT ROWID;

-- Certificate files of cards, so that they are read once.
CREATE TABLE certificates (
    card BLOB NOT NULL,
    key  BLOB NOT NULL,
    file BLOB NOT NULL,
    PRIMARY KEY (card, key)
) STRICT, WITHOUT ROWID;
