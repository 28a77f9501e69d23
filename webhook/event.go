package webhook

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/internal/lenient"
)

// Event is a verified webhook delivery: a flat delivery, which is the answer of one customer, or
// an envelope, which names the type of its event and may have an id and a time.
//
// In a flat delivery the ID and the times of Response are empty: SurveyID and SubjectID name it.
// Score is [clicknps.NoScore] if a delivery has none.
type Event struct {
	Type       clicknps.EventType // of a flat delivery: EventResponseCreated; others may be unknown
	Key        string             // the same for every attempt; of one account; at most 128 bytes
	SurveyID   string             // empty only if an event of unknown type names no survey
	Response   *clicknps.Response // of response events
	Survey     *clicknps.Survey   // of survey.completed events
	SentAt     time.Time          // the signed time of this attempt; zero in an envelope
	OccurredAt time.Time          // the signed time of the event; zero in a flat delivery
	RawJSON    json.RawMessage    // the body as received
}

var errNoSurvey = errors.New("survey_id: missing")

// maxIDBytes is the length up to which an envelope's id is used as the key itself.
const maxIDBytes = 128

// head holds the fields of a body that are not about the response or the survey.
type head struct {
	ID        string             `json:"id"`
	Type      clicknps.EventType `json:"type"`
	Event     clicknps.EventType `json:"event"` // another name of type
	CreatedAt time.Time          `json:"created_at"`
	Timestamp time.Time          `json:"timestamp"`
	Data      json.RawMessage    `json:"data"`
}

// payload holds the fields of a response or a survey.
type payload struct {
	clicknps.Response
	Score    *int                  `json:"score"` // tells no score from a score of −1
	Name     string                `json:"name"`
	Question string                `json:"question"`
	Status   clicknps.SurveyStatus `json:"status"`
}

// parse decodes body. The event keeps it.
func parse(body []byte) (*Event, error) {
	if len(body) == 0 {
		return nil, errEmptyBody
	}
	if !utf8.Valid(body) {
		return nil, errors.New("not UTF-8")
	}
	var h head
	if err := lenient.Unmarshal(body, &h); err != nil {
		return nil, err
	}
	e := &Event{Type: cmp.Or(h.Type, h.Event), SentAt: h.Timestamp, RawJSON: body}
	enveloped, content := bytes.HasPrefix(h.Data, []byte("{")), body
	if enveloped {
		content = h.Data
	}
	var p payload
	err := lenient.Unmarshal(content, &p)
	switch {
	case e.Type == "" && enveloped:
		return nil, errors.New("type: missing")
	case e.Type == "":
		e.Type, h.ID = clicknps.EventResponseCreated, "" // an id is the response's
	case enveloped:
		e.OccurredAt = h.CreatedAt
	default: // id and time are the event's
		e.OccurredAt, p.ID, p.CreatedAt = h.CreatedAt, "", time.Time{}
	}
	if err == nil {
		err = e.setContent(&p)
	}
	switch e.Type {
	case clicknps.EventResponseCreated, clicknps.EventResponseUpdated, clicknps.EventSurveyCompleted:
		if err != nil {
			return nil, err
		}
	default: // an event of unknown type may be about anything
	}
	e.Key = e.key(h.ID)
	return e, nil
}

// setContent sets what the event is about.
func (e *Event) setContent(p *payload) error {
	e.SurveyID = p.SurveyID
	switch kind, _, _ := strings.Cut(string(e.Type), "."); kind {
	case "response":
		switch {
		case p.SurveyID == "":
			return errNoSurvey
		case p.SubjectID == "":
			return errors.New("subject_id: missing")
		case p.Score == nil:
			p.Score = new(clicknps.NoScore)
		case *p.Score < 0 || *p.Score > 10:
			return errors.New("score: not a whole number from 0 to 10")
		}
		p.Response.Score = *p.Score
		e.Response = &p.Response
	case "survey":
		if e.SurveyID = cmp.Or(p.SurveyID, p.ID); e.SurveyID == "" {
			return errNoSurvey
		}
		e.Survey = &clicknps.Survey{
			ID: e.SurveyID, Name: p.Name, Question: p.Question, Status: p.Status,
			CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
		}
	}
	return nil
}

// key returns the envelope's id or, if it has none, a hash of the signed fields that are the same
// in every attempt. Of an event of unknown type no fields are known: handling it twice is better
// than sharing one key between events.
func (e *Event) key(id string) string {
	if id != "" && len(id) <= maxIDBytes {
		return id
	}
	micros := func(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }
	parts := []string{string(e.Type), micros(e.OccurredAt), e.SurveyID}
	switch r := e.Response; {
	case id != "":
		parts = []string{"id", id}
	case e.Type == clicknps.EventResponseCreated, e.Type == clicknps.EventResponseUpdated:
		parts = append(parts, r.SubjectID, strconv.Itoa(r.Score), r.Comment, micros(r.UpdatedAt))
	case e.Type != clicknps.EventSurveyCompleted:
		parts = []string{string(e.RawJSON)}
	}
	return clicknps.DeriveIdempotencyKey(parts...)
}
