-- Survey and subject together name a response. id is the service's, which webhooks don't tell.
CREATE TABLE IF NOT EXISTS responses (
    survey_id  text        NOT NULL,
    subject_id text        NOT NULL,
    id         text,
    score      smallint,             -- null: no score
    comment    text        NOT NULL,
    updated_at timestamptz,          -- of what the row shows
    PRIMARY KEY (survey_id, subject_id)
);
-- Where the next sync begins. One row for each list.
CREATE TABLE IF NOT EXISTS bookmarks (
    list     text PRIMARY KEY,
    bookmark text NOT NULL
);
