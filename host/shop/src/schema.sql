-- Version 1. Plain SQL: numbers of documents stand as lower-case hexadecimal text, times in
-- seconds since 1970, amounts in minor units.

CREATE TABLE goods (
    article     TEXT     NOT NULL PRIMARY KEY,
    name        TEXT     NOT NULL,
    unit_price  BIGINT   NOT NULL CHECK (unit_price > 0),
    active      SMALLINT NOT NULL CHECK (active IN (0, 1))
);

-- The states of an order and the moves between them. A later version adds rows.
CREATE TABLE order_states (
    state       TEXT     NOT NULL PRIMARY KEY
);

INSERT INTO order_states (state)
VALUES ('unpaid'), ('acknowledged'), ('paid'), ('released'), ('cancelled');

CREATE TABLE order_moves (
    from_state  TEXT     NOT NULL REFERENCES order_states (state),
    to_state    TEXT     NOT NULL REFERENCES order_states (state),
    PRIMARY KEY (from_state, to_state)
);

INSERT INTO order_moves (from_state, to_state)
VALUES ('unpaid', 'acknowledged'),
       ('acknowledged', 'paid'),
       ('acknowledged', 'released'),
       ('acknowledged', 'cancelled');

-- Order data 61 (source Fig. 11).
CREATE TABLE orders (
    transaction_id  TEXT    NOT NULL PRIMARY KEY,
    request_id      TEXT    NOT NULL UNIQUE,
    purchaser       TEXT    NOT NULL,
    card            TEXT    NOT NULL,
    total           BIGINT  NOT NULL CHECK (total > 0),
    currency        INTEGER NOT NULL,
    mode            TEXT    NOT NULL,
    state           TEXT    NOT NULL REFERENCES order_states (state),
    order_hash      TEXT    NOT NULL,
    placed          BIGINT  NOT NULL,
    due             BIGINT  NOT NULL
);

CREATE INDEX orders_by_due ON orders (state, mode, due, transaction_id);
CREATE INDEX orders_by_placed ON orders (placed, transaction_id);

-- Order data 62 (source Fig. 12). Erasing these rows leaves the signed documents checkable: they
-- name a line by the hash of its salted bytes.
CREATE TABLE order_lines (
    transaction_id  TEXT    NOT NULL REFERENCES orders (transaction_id),
    line_number     INTEGER NOT NULL,
    article         TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    quantity        BIGINT  NOT NULL CHECK (quantity > 0),
    unit_price      BIGINT  NOT NULL CHECK (unit_price > 0),
    price           BIGINT  NOT NULL CHECK (price > 0),
    salt            TEXT    NOT NULL,
    PRIMARY KEY (transaction_id, line_number)
);

-- Documents as they were received or sent; rows are never changed.
CREATE TABLE evidence (
    transaction_id  TEXT    NOT NULL REFERENCES orders (transaction_id),
    kind            TEXT    NOT NULL,
    hash            TEXT    NOT NULL,
    bytes           BLOB    NOT NULL,
    stored          BIGINT  NOT NULL,
    PRIMARY KEY (transaction_id, kind)
);

-- What operators did by hand; rows are never changed.
CREATE TABLE operator_notes (
    transaction_id  TEXT    NOT NULL REFERENCES orders (transaction_id),
    deed            TEXT    NOT NULL,
    operator        TEXT    NOT NULL,
    noted           BIGINT  NOT NULL,
    PRIMARY KEY (transaction_id, deed)
);
