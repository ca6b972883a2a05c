-- What a Session or a Run was. It stays when the object and its pod are gone.
CREATE TABLE objects (
    uid uuid PRIMARY KEY,
    kind text NOT NULL,
    namespace text NOT NULL,
    name text NOT NULL,
    owner text,
    parent uuid,
    phase text NOT NULL,
    branch text,
    commit text,
    pull_request_url text,
    estimated_cost_usd numeric,
    -- The last one that the cluster had, whole.
    status jsonb,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    deleted_at timestamptz,
    -- The `seq` of the newest message. Whoever adds messages locks this row first.
    last_seq bigint NOT NULL DEFAULT 0
);
-- A name comes again, so it is not unique: the newest object of a name is the one that people mean.
CREATE INDEX objects_by_name ON objects (namespace, name, created_at DESC);
CREATE INDEX objects_by_age ON objects (created_at DESC, uid DESC);

CREATE TABLE specs (
    uid uuid NOT NULL REFERENCES objects ON DELETE CASCADE,
    version integer NOT NULL,
    spec jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (uid, version)
);
CREATE FUNCTION specs_never_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a version of a spec never changes'; END $$;
CREATE TRIGGER specs_never_change BEFORE UPDATE ON specs FOR EACH ROW EXECUTE FUNCTION specs_never_change();

-- No foreign key: it would cost a look-up for each row, and the lock on the object's row already guards it.
CREATE TABLE messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid uuid NOT NULL,
    attempt integer NOT NULL,
    journal_seq bigint NOT NULL,
    seq bigint NOT NULL,
    type text NOT NULL CHECK (type IN ('progress', 'completion', 'escalation', 'error')),
    content jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    read_at timestamptz,
    UNIQUE (uid, attempt, journal_seq),
    UNIQUE (uid, seq)
);

CREATE TABLE usage (
    uid uuid NOT NULL REFERENCES objects ON DELETE CASCADE,
    attempt integer NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    estimated_cost_usd numeric NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (uid, attempt)
);

CREATE TABLE checkpoints (
    uid uuid PRIMARY KEY REFERENCES objects ON DELETE CASCADE,
    attempt integer NOT NULL,
    -- Where the files are: what refs/fabrica/<uid>/wip was set to.
    commit text,
    -- The agent's own id of the conversation; without one `data` is empty.
    conversation text,
    sha256 text NOT NULL,
    data bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- It is compressed already.
ALTER TABLE checkpoints ALTER COLUMN data SET STORAGE EXTERNAL;
