-- Version 1. Times are seconds since 1970-01-01T00:00:00Z, numbers and keys big-endian bytes.

CREATE TABLE holder (
    payer TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    registered INTEGER NOT NULL
) STRICT;

-- Every certificate that was ever issued. role: 0 issuing CA, 1 holder, 2 shop, 3 payment server.
-- number: card, shop or issuer ID by role; a CA has none.
CREATE TABLE certificate (
    serial BLOB PRIMARY KEY CHECK (length(serial) = 16),
    role INTEGER NOT NULL CHECK (role BETWEEN 0 AND 3),
    name TEXT NOT NULL,
    number BLOB CHECK (length(number) = 8),
    payer TEXT REFERENCES holder,
    key BLOB NOT NULL CHECK (length(key) = 64),
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    issued INTEGER NOT NULL,
    der BLOB NOT NULL,
    CHECK ((number IS NULL) = (role = 0)),
    CHECK ((payer IS NULL) = (role <> 1))
) STRICT;

CREATE INDEX certificate_number ON certificate (role, number);
CREATE INDEX certificate_key ON certificate (key);

-- Compact certificates of payment servers. An issuer's generations only rise.
CREATE TABLE compact (
    issuer BLOB NOT NULL CHECK (length(issuer) = 8),
    generation INTEGER NOT NULL CHECK (generation > 0),
    serial BLOB NOT NULL REFERENCES certificate,
    sign1 BLOB NOT NULL,
    PRIMARY KEY (issuer, generation)
) STRICT;

-- AUTOINCREMENT: a list remembers the newest revocation that it has, so numbers never come back.
CREATE TABLE revocation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    serial BLOB NOT NULL UNIQUE REFERENCES certificate,
    time INTEGER NOT NULL,
    reason INTEGER NOT NULL
) STRICT;

-- The newest revocation list of each signer. signer: 0 root, 1 issuing CA.
CREATE TABLE list (
    signer INTEGER PRIMARY KEY CHECK (signer IN (0, 1)),
    number INTEGER NOT NULL,
    time INTEGER NOT NULL,
    last_revocation INTEGER NOT NULL,
    der BLOB NOT NULL
) STRICT;

-- Enrolment codes by their hashes. A used one names the record and the certificate it was used for.
CREATE TABLE code (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    payer TEXT NOT NULL REFERENCES holder,
    expiry INTEGER NOT NULL,
    record_hash BLOB CHECK (length(record_hash) = 32),
    serial BLOB REFERENCES certificate,
    CHECK ((record_hash IS NULL) = (serial IS NULL))
) STRICT;

-- Nonces that were given and not used yet.
CREATE TABLE nonce (
    nonce BLOB PRIMARY KEY CHECK (length(nonce) = 16),
    expiry INTEGER NOT NULL
) STRICT;

CREATE INDEX nonce_expiry ON nonce (expiry);
