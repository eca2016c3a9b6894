-- Books of one payment server. Plain SQL that SQLite and PostgreSQL both take. Numbers that could
-- be used twice are primary or unique keys: they carry correctness, whatever the program does.
-- Times are seconds since 1970; amounts are minor units of the one currency of the books.

CREATE TABLE books (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    issuer BYTEA NOT NULL CHECK (length(issuer) = 8),
    currency BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    nonce_key BYTEA NOT NULL CHECK (length(nonce_key) = 32)
);

-- Every signed thing as it was signed, by the SHA-256 of its Sig_structure. Rows are only added.
CREATE TABLE evidence (
    hash BYTEA NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    kind TEXT NOT NULL,
    bytes BYTEA NOT NULL,
    time BIGINT NOT NULL
);

-- Double-entry ledger. The balances of all accounts add up to zero: issued is what all the others
-- hold together, with a minus sign.
CREATE TABLE accounts (
    kind TEXT NOT NULL CHECK (kind IN ('issued', 'fund', 'shadow', 'merchant', 'in flight',
        'suspense', 'closed', 'paid out')),
    owner BYTEA NOT NULL,
    balance BIGINT NOT NULL,
    PRIMARY KEY (kind, owner)
);

-- One entry for each signed document that moves value; so no document moves it twice.
CREATE TABLE entries (
    document BYTEA NOT NULL PRIMARY KEY REFERENCES evidence (hash),
    time BIGINT NOT NULL
);

CREATE TABLE postings (
    document BYTEA NOT NULL REFERENCES entries (document),
    kind TEXT NOT NULL,
    owner BYTEA NOT NULL,
    amount BIGINT NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (document, kind, owner),
    FOREIGN KEY (kind, owner) REFERENCES accounts (kind, owner)
);

-- chain: DER certificates, leaf first, one behind the other, as evidence.
CREATE TABLE cards (
    card BYTEA NOT NULL PRIMARY KEY CHECK (length(card) = 8),
    public_key BYTEA NOT NULL UNIQUE CHECK (length(public_key) = 64),
    chain BYTEA NOT NULL REFERENCES evidence (hash),
    payer TEXT NOT NULL,
    holder TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'closed')),
    ack_debit BIGINT NOT NULL,
    ack_credit BIGINT NOT NULL,
    seen BIGINT NOT NULL
);

CREATE TABLE shops (
    shop BYTEA NOT NULL PRIMARY KEY CHECK (length(shop) = 8),
    name TEXT NOT NULL,
    push_url TEXT NOT NULL,
    currency BIGINT NOT NULL,
    chain BYTEA NOT NULL REFERENCES evidence (hash),
    operator TEXT NOT NULL,
    accepted BIGINT NOT NULL
);

-- Payment data 63 (source text): transaction, purchaser, shop, total, state.
CREATE TABLE invoices (
    hash BYTEA NOT NULL PRIMARY KEY REFERENCES evidence (hash),
    transaction_id BYTEA NOT NULL CHECK (length(transaction_id) = 16),
    payer TEXT NOT NULL,
    shop BYTEA NOT NULL REFERENCES shops (shop),
    amount BIGINT NOT NULL CHECK (amount > 0),
    due BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'paid', 'past due', 'cancelled')),
    changed BIGINT NOT NULL
);
CREATE INDEX invoices_by_time ON invoices (changed);

-- invoice: no key, because in the fast flow a permit comes before its invoice.
-- request: hash of the card's signed request (D1), whose repeat gets the same permit (Invariant I).
CREATE TABLE permits (
    payment BYTEA NOT NULL PRIMARY KEY CHECK (length(payment) = 16),
    invoice BYTEA NOT NULL,
    card BYTEA NOT NULL REFERENCES cards (card),
    debit_seq BIGINT NOT NULL CHECK (debit_seq > 0),
    amount BIGINT NOT NULL CHECK (amount > 0),
    expiry BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    request BYTEA NOT NULL REFERENCES evidence (hash),
    document BYTEA NOT NULL UNIQUE REFERENCES evidence (hash),
    issued BIGINT NOT NULL
);
CREATE INDEX permits_by_invoice ON permits (invoice);

-- invoice is set where the debit paid it: one debit at most pays an invoice.
CREATE TABLE debits (
    card BYTEA NOT NULL REFERENCES cards (card),
    debit_seq BIGINT NOT NULL CHECK (debit_seq > 0),
    payment BYTEA NOT NULL UNIQUE REFERENCES permits (payment),
    record BYTEA NOT NULL UNIQUE REFERENCES evidence (hash),
    outcome TEXT NOT NULL CHECK (outcome IN ('merchant', 'suspense', 'closed')),
    invoice BYTEA UNIQUE REFERENCES invoices (hash),
    answer BYTEA NOT NULL REFERENCES evidence (hash),
    booked BIGINT NOT NULL,
    PRIMARY KEY (card, debit_seq)
);

-- Receipts on their way to the shops (message 210 by P).
CREATE TABLE outbox (
    receipt BYTEA NOT NULL PRIMARY KEY REFERENCES evidence (hash),
    shop BYTEA NOT NULL REFERENCES shops (shop),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'refused')),
    attempts BIGINT NOT NULL,
    next BIGINT NOT NULL
);
CREATE INDEX outbox_by_state ON outbox (state, next);

CREATE TABLE issues (
    id BYTEA NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    document BYTEA NOT NULL UNIQUE REFERENCES evidence (hash)
);

CREATE TABLE load_orders (
    credit BYTEA NOT NULL PRIMARY KEY CHECK (length(credit) = 16),
    card BYTEA NOT NULL CHECK (length(card) = 8),
    expiry BIGINT NOT NULL,
    document BYTEA NOT NULL UNIQUE REFERENCES evidence (hash)
);
CREATE INDEX load_orders_by_card ON load_orders (card);

-- authority_issuer: who signed the authority, this issuer or a shop. slot: the one that may take
-- the value now (Invariant R); none while the credit is only reserved.
CREATE TABLE credits (
    purpose BIGINT NOT NULL CHECK (purpose IN (1, 2, 3)),
    authority_issuer BYTEA NOT NULL CHECK (length(authority_issuer) = 8),
    credit BYTEA NOT NULL CHECK (length(credit) = 16),
    card BYTEA NOT NULL REFERENCES cards (card),
    amount BIGINT NOT NULL CHECK (amount > 0),
    authority BYTEA NOT NULL UNIQUE REFERENCES evidence (hash),
    state TEXT NOT NULL CHECK (state IN ('reserved', 'issued', 'applied', 'void', 'paid out')),
    slot BIGINT CHECK (slot > 0),
    token BYTEA REFERENCES evidence (hash),
    changed BIGINT NOT NULL,
    PRIMARY KEY (purpose, authority_issuer, credit)
);
CREATE INDEX credits_by_card ON credits (card, state);

-- Credit slots whose end P knows: taken, or burned.
CREATE TABLE slots (
    card BYTEA NOT NULL REFERENCES cards (card),
    slot BIGINT NOT NULL CHECK (slot > 0),
    burned BIGINT NOT NULL CHECK (burned IN (0, 1)),
    record BYTEA NOT NULL UNIQUE REFERENCES evidence (hash),
    answer BYTEA NOT NULL REFERENCES evidence (hash),
    booked BIGINT NOT NULL,
    PRIMARY KEY (card, slot)
);

-- The first record that a card signed against its own earlier one: proof of a cloned card.
CREATE TABLE contradictions (
    card BYTEA NOT NULL REFERENCES cards (card),
    kind TEXT NOT NULL CHECK (kind IN ('debit', 'slot')),
    sequence BIGINT NOT NULL,
    record BYTEA NOT NULL REFERENCES evidence (hash),
    PRIMARY KEY (card, kind, sequence)
);

-- Nonces of status queries that were used, as long as they would still be good.
CREATE TABLE nonces (
    nonce BYTEA NOT NULL PRIMARY KEY CHECK (length(nonce) = 16),
    expiry BIGINT NOT NULL
);
