-- What each exchange with a vendor cost, in millionths of a US dollar: written before a call that costs something is
-- sent, and again when its price is known. Nothing is ever dropped.
CREATE TABLE spend (
    id INTEGER PRIMARY KEY,
    request TEXT NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    date TEXT NOT NULL,
    vendor TEXT NOT NULL,
    consumer TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    symbol TEXT NOT NULL,
    calls INTEGER NOT NULL,
    units INTEGER NOT NULL,
    objects TEXT NOT NULL,
    micros INTEGER NOT NULL,
    settled INTEGER NOT NULL
);
CREATE UNIQUE INDEX spend_exchange ON spend (request, number);

-- The same summed up by UTC date, with what never became an exchange.
CREATE TABLE spend_sum (
    date TEXT NOT NULL,
    vendor TEXT NOT NULL,
    consumer TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    symbol TEXT NOT NULL,
    calls INTEGER NOT NULL,
    units INTEGER NOT NULL,
    micros INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    useful INTEGER NOT NULL,
    PRIMARY KEY (date, vendor, consumer, endpoint, symbol)
) WITHOUT ROWID;
