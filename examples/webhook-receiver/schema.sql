-- The responses of all surveys. Survey and subject together name a response, because only the first
-- click of a subject counts. A delivery has no other id.
CREATE TABLE IF NOT EXISTS responses (
    survey_id  text        NOT NULL,
    subject_id text        NOT NULL,
    score      smallint,             -- null: a delivery without a score
    comment    text        NOT NULL,
    updated_at timestamptz,          -- of the latest response.updated; null: there was none with a time
    PRIMARY KEY (survey_id, subject_id)
);
