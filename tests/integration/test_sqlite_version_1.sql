-- A file of version 1 as the library wrote it: five entries, one of them a hold.
PRAGMA journal_mode = WAL;
PRAGMA application_id = 1400128370;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE accounts (
    number INTEGER PRIMARY KEY,
    wallet INTEGER NOT NULL REFERENCES wallets,
    unit TEXT NOT NULL,
    digits INTEGER NOT NULL CHECK (digits BETWEEN 0 AND 9),
    version INTEGER NOT NULL CHECK (version >= 1),
    head BLOB NOT NULL CHECK (length(head) = 32),
    last_at TEXT NOT NULL,
    issued INTEGER NOT NULL CHECK (issued BETWEEN 0 AND 9223372036854775807),
    adjusted_up INTEGER NOT NULL CHECK (adjusted_up BETWEEN 0 AND 9223372036854775807),
    reinstated INTEGER NOT NULL CHECK (reinstated BETWEEN 0 AND 9223372036854775807),
    restored INTEGER NOT NULL CHECK (restored BETWEEN 0 AND 9223372036854775807),
    transferred_in INTEGER NOT NULL CHECK (transferred_in BETWEEN 0 AND 9223372036854775807),
    redeemed INTEGER NOT NULL CHECK (redeemed BETWEEN 0 AND 9223372036854775807),
    expired INTEGER NOT NULL CHECK (expired BETWEEN 0 AND 9223372036854775807),
    revoked INTEGER NOT NULL CHECK (revoked BETWEEN 0 AND 9223372036854775807),
    adjusted_down INTEGER NOT NULL CHECK (adjusted_down BETWEEN 0 AND 9223372036854775807),
    settled INTEGER NOT NULL CHECK (settled BETWEEN 0 AND 9223372036854775807),
    cashed_out INTEGER NOT NULL CHECK (cashed_out BETWEEN 0 AND 9223372036854775807),
    transferred_out INTEGER NOT NULL CHECK (transferred_out BETWEEN 0 AND 9223372036854775807),
    owed_incurred INTEGER NOT NULL CHECK (owed_incurred BETWEEN 0 AND 9223372036854775807),
    owed_settled INTEGER NOT NULL CHECK (owed_settled BETWEEN 0 AND 9223372036854775807),
    owed_reversed INTEGER NOT NULL CHECK (owed_reversed BETWEEN 0 AND 9223372036854775807),
    balance INTEGER NOT NULL CHECK (balance BETWEEN 0 AND 9223372036854775807),
    held INTEGER NOT NULL CHECK (held BETWEEN 0 AND 9223372036854775807),
    owed_held INTEGER NOT NULL CHECK (owed_held BETWEEN 0 AND 9223372036854775807),
    status TEXT NOT NULL,
    credit_limit,
    spenders TEXT,
    merged_into TEXT,
    UNIQUE (wallet, unit),
    CHECK (held <= balance),
    CHECK (owed_incurred - owed_settled - owed_reversed >= 0),
    CHECK (((issued >> 32) + (adjusted_up >> 32) + (reinstated >> 32) + (restored >> 32) + (transferred_in >> 32) - (redeemed >> 32) - (expired >> 32) - (revoked >> 32) - (adjusted_down >> 32) - (settled >> 32) - (cashed_out >> 32) - (transferred_out >> 32) - (balance >> 32)) * 4294967296 = -((issued & 4294967295) + (adjusted_up & 4294967295) + (reinstated & 4294967295) + (restored & 4294967295) + (transferred_in & 4294967295) - (redeemed & 4294967295) - (expired & 4294967295) - (revoked & 4294967295) - (adjusted_down & 4294967295) - (settled & 4294967295) - (cashed_out & 4294967295) - (transferred_out & 4294967295) - (balance & 4294967295)))
);
INSERT INTO "accounts" VALUES(1,1,'USD',2,4,X'D9EF59DDA9E4EFE3914908CDE4303FB4D1D94BD318A042B1EB99AC15A495BA55','2026-03-01T12:00:00.000000Z',2000,0,0,100,0,600,0,0,0,0,0,0,0,0,0,1500,200,0,'open',NULL,NULL,NULL);
INSERT INTO "accounts" VALUES(2,2,'EUR',2,1,X'12AEBCF82239273A2278203EBD3B71EC9E78C9EE127949AF30B1B8767CD49BCF','2026-03-01T12:00:00.000000Z',300,0,0,0,0,0,0,0,0,0,0,0,0,0,0,300,0,0,'open',NULL,NULL,NULL);
CREATE TABLE entries (
    account INTEGER NOT NULL REFERENCES accounts,
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    id BLOB NOT NULL CHECK (length(id) = 16),
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (account, sequence),
    UNIQUE (account, key),
    UNIQUE (account, id)
);
INSERT INTO "entries" VALUES(1,1,X'6EA1D09395D7577D955A2D190BEC8F21','return-1001','{"account":"b80c8fefa677534085fb2c162d75df03.USD","at":"2026-03-01T12:00:00.000000Z","key":"return-1001","kind":"issue","moves":[["issued","022011c675305904b76fe61abc518cfb",2000,2000,2000,{"terms":{"effective_at":"2026-03-01T12:00:00.000000Z","funding":"refund"}}]],"request":{"amount":"USD 20.00","funding":"refund","priority":0},"sealed":{"actor":"37176916069fe0142d8d655238c59577f5176437817b3b59d694c29164755bc8","note":"e50ae5a61e3619eb28d993ac532ae2e21ca22ea54b9ab5f7209ed589e63a30e2"},"sequence":1}',X'DAB16A5425E16A82FD5FAF22B995A910D1721BD49F362EEA159825BCA293F9FF');
INSERT INTO "entries" VALUES(1,2,X'F1DCCB5C513B5DB1B3B68507A7BFF27A','order-1/hold','{"account":"b80c8fefa677534085fb2c162d75df03.USD","at":"2026-03-01T12:00:00.000000Z","context":{"reference":"order 1"},"facts":{"hold":"84c6d7adb49b59e28449a79a91bdc51b","lapses_at":"2026-03-02T12:00:00.000000Z"},"key":"order-1/hold","kind":"hold","moves":[["held","022011c675305904b76fe61abc518cfb",200,2000,2000,{"hold":"84c6d7adb49b59e28449a79a91bdc51b"}]],"request":{"amount":"USD 2.00","taking":"all_or_nothing"},"sequence":2}',X'DFBB7E03AB8621F22B7FC8DFF321DC8EBA08F30AF36F237DE43876271B546036');
INSERT INTO "entries" VALUES(1,3,X'2E499FAAB42A5181B7DFED5515FB4E03','order-2','{"account":"b80c8fefa677534085fb2c162d75df03.USD","at":"2026-03-01T12:00:00.000000Z","key":"order-2","kind":"redeem","moves":[["redeemed","022011c675305904b76fe61abc518cfb",600,1400,1400]],"request":{"amount":"USD 6.00","taking":"all_or_nothing"},"sequence":3}',X'93DBE0EA3F18BDCCEEDAF23899F3D3C9F2D5538AAC50C4C11B1FB7D0F1780E29');
INSERT INTO "entries" VALUES(1,4,X'1C2E316DD52955CAAAEAB36D0EE00D34','return-2','{"account":"b80c8fefa677534085fb2c162d75df03.USD","at":"2026-03-01T12:00:00.000000Z","facts":{"redemption":"b80c8fefa677534085fb2c162d75df03.USD.2e499faab42a5181b7dfed5515fb4e03"},"key":"return-2","kind":"restore","moves":[["restored","022011c675305904b76fe61abc518cfb",100,1500,1500,{"of":0}]],"request":{"amount":"USD 1.00","redemption":"b80c8fefa677534085fb2c162d75df03.USD.2e499faab42a5181b7dfed5515fb4e03"},"sequence":4}',X'D9EF59DDA9E4EFE3914908CDE4303FB4D1D94BD318A042B1EB99AC15A495BA55');
INSERT INTO "entries" VALUES(2,1,X'9315CBC208E7587AA75C052BEB4B0A7B','sorry','{"account":"ff6c5a08b2fa56b6ac006830f4074b6a.EUR","at":"2026-03-01T12:00:00.000000Z","key":"sorry","kind":"issue","moves":[["issued","1e2c893b4b6a5f27b02c83cae867e512",300,300,300,{"terms":{"effective_at":"2026-03-01T12:00:00.000000Z","expires_at":"2027-03-01T12:00:00.000000Z","funding":"goodwill"}}]],"request":{"amount":"EUR 3.00","expires":{"period":"P12M","round_up_to":null,"zone":"UTC"},"funding":"goodwill","priority":0},"sequence":1}',X'12AEBCF82239273A2278203EBD3B71EC9E78C9EE127949AF30B1B8767CD49BCF');
CREATE TABLE holds (
    account INTEGER NOT NULL REFERENCES accounts,
    id BLOB NOT NULL CHECK (length(id) = 16),
    placed_at TEXT NOT NULL,
    lapses_at TEXT NOT NULL,
    reference TEXT,
    status TEXT NOT NULL,
    draws TEXT NOT NULL,
    captured INTEGER NOT NULL CHECK (captured BETWEEN 0 AND 9223372036854775807),
    UNIQUE (account, id)
);
INSERT INTO "holds" VALUES(1,X'84C6D7ADB49B59E28449A79A91BDC51B','2026-03-01T12:00:00.000000Z','2026-03-02T12:00:00.000000Z','order 1','active','[["022011c675305904b76fe61abc518cfb",200]]',0);
CREATE TABLE lots (
    account INTEGER NOT NULL REFERENCES accounts,
    id BLOB NOT NULL CHECK (length(id) = 16),
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    issued_at TEXT NOT NULL,
    funding TEXT NOT NULL,
    effective_at TEXT NOT NULL,
    expires_at TEXT,
    priority INTEGER NOT NULL,
    limits TEXT,
    paid TEXT,
    origin TEXT,
    amount INTEGER NOT NULL CHECK (amount BETWEEN 0 AND 9223372036854775807),
    remaining INTEGER NOT NULL CHECK (remaining BETWEEN 0 AND 9223372036854775807),
    held INTEGER NOT NULL CHECK (held BETWEEN 0 AND 9223372036854775807),
    expired INTEGER NOT NULL CHECK (expired BETWEEN 0 AND 9223372036854775807),
    revoked INTEGER NOT NULL CHECK (revoked BETWEEN 0 AND 9223372036854775807),
    state TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    UNIQUE (account, id),
    CHECK (held <= remaining AND remaining <= amount),
    CHECK (is_open = (remaining > 0))
);
INSERT INTO "lots" VALUES(1,X'022011C675305904B76FE61ABC518CFB',1,'2026-03-01T12:00:00.000000Z','refund','2026-03-01T12:00:00.000000Z',NULL,0,NULL,NULL,NULL,2000,1500,200,0,0,'open',1);
INSERT INTO "lots" VALUES(2,X'1E2C893B4B6A5F27B02C83CAE867E512',1,'2026-03-01T12:00:00.000000Z','goodwill','2026-03-01T12:00:00.000000Z','2027-03-01T12:00:00.000000Z',0,NULL,NULL,NULL,300,300,0,0,0,'open',1);
CREATE TABLE private (
    account INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    field TEXT NOT NULL CHECK (field IN ('actor', 'note', 'data')),
    salt TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, sequence, field),
    FOREIGN KEY (account, sequence) REFERENCES entries
) WITHOUT ROWID;
INSERT INTO "private" VALUES(1,1,'actor','00000000000000000000000000000002','"Mia"');
INSERT INTO "private" VALUES(1,1,'note','00000000000000000000000000000003','"parcel was late"');
CREATE TABLE record_references (
    merchant TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (merchant, kind, id, name),
    FOREIGN KEY (merchant, kind, id) REFERENCES records
) WITHOUT ROWID;
CREATE TABLE records (
    merchant TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    body TEXT NOT NULL,
    PRIMARY KEY (merchant, kind, id)
) WITHOUT ROWID;
CREATE TABLE restored (
    account INTEGER NOT NULL REFERENCES accounts,
    redemption TEXT NOT NULL,
    move INTEGER NOT NULL CHECK (move >= 0),
    amount INTEGER NOT NULL CHECK (amount BETWEEN 0 AND 9223372036854775807),
    PRIMARY KEY (account, redemption, move)
) WITHOUT ROWID;
INSERT INTO "restored" VALUES(1,'b80c8fefa677534085fb2c162d75df03.USD.2e499faab42a5181b7dfed5515fb4e03',0,100);
CREATE TABLE wallets (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    merchant TEXT NOT NULL,
    holder TEXT NOT NULL,
    merged_into TEXT,
    UNIQUE (merchant, holder)
);
INSERT INTO "wallets" VALUES(1,'b80c8fefa677534085fb2c162d75df03','acme','c-17',NULL);
INSERT INTO "wallets" VALUES(2,'ff6c5a08b2fa56b6ac006830f4074b6a','acme','c-18',NULL);
CREATE INDEX lots_open ON lots (account) WHERE is_open = 1;
CREATE INDEX lots_due ON lots (expires_at, account) WHERE is_open = 1 AND expires_at IS NOT NULL;
CREATE INDEX holds_active ON holds (account) WHERE status = 'active';
CREATE TRIGGER entries_are_final BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'journal rows are never changed'); END;
CREATE TRIGGER entries_stay BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'journal rows are never deleted'); END;
CREATE TRIGGER private_is_final BEFORE UPDATE ON private
BEGIN SELECT RAISE(ABORT, 'private fields are erased, and never changed'); END;
CREATE INDEX records_by_reference ON record_references (merchant, kind, name, value, id);
COMMIT;
