package webhook

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	ID        string                `json:"id"`
	SurveyID  string                `json:"survey_id"`
	SubjectID string                `json:"subject_id"`
	Score     *int                  `json:"score"`
	Comment   string                `json:"comment"`
	Name      string                `json:"name"`
	Question  string                `json:"question"`
	Status    clicknps.SurveyStatus `json:"status"`
	CreatedAt time.Time             `json:"created_at"`
	UpdatedAt time.Time             `json:"updated_at"`
}

// parse decodes body. The event keeps it.
func parse(body []byte) (*Event, error) {
	if len(body) == 0 {
		return nil, errEmptyBody
	}
	if !utf8.Valid(body) {
		return nil, errors.New("not UTF-8")
	}
	var wire head
	if err := lenient.Unmarshal(body, &wire); err != nil {
		return nil, err
	}
	e := &Event{Type: cmp.Or(wire.Type, wire.Event), SentAt: wire.Timestamp, RawJSON: body}
	var p payload
	var err error
	enveloped := bytes.HasPrefix(wire.Data, []byte("{"))
	if !enveloped {
		err = lenient.Unmarshal(body, &p)
	} else if err = lenient.Unmarshal(wire.Data, &p); err != nil {
		err = fmt.Errorf("data: %w", err)
	}
	switch {
	case e.Type != "":
		e.OccurredAt = wire.CreatedAt
		if !enveloped { // then these are the event's
			p.ID, p.CreatedAt = "", time.Time{}
		}
	case enveloped:
		return nil, errors.New("type: missing")
	default:
		e.Type, wire.ID = clicknps.EventResponseCreated, "" // an id is the response's
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
	e.Key = e.key(wire.ID, wire.Data)
	return e, nil
}

// setContent sets what the event is about.
func (e *Event) setContent(p *payload) error {
	e.SurveyID = p.SurveyID
	switch kind, _, _ := strings.Cut(string(e.Type), "."); kind {
	case "response":
		switch {
		case p.SurveyID == "":
			return errors.New("survey_id: missing")
		case p.SubjectID == "":
			return errors.New("subject_id: missing")
		case p.Score == nil:
			p.Score = new(clicknps.NoScore)
		case *p.Score < 0 || *p.Score > 10:
			return errors.New("score: not a whole number from 0 to 10")
		}
		e.Response = &clicknps.Response{
			ID: p.ID, SurveyID: p.SurveyID, SubjectID: p.SubjectID, Score: *p.Score, Comment: p.Comment,
			CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
		}
	case "survey":
		if e.SurveyID = cmp.Or(p.SurveyID, p.ID); e.SurveyID == "" {
			return errors.New("survey_id: missing")
		}
		e.Survey = &clicknps.Survey{
			ID: e.SurveyID, Name: p.Name, Question: p.Question, Status: p.Status,
			CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
		}
	}
	return nil
}

// key returns the envelope's id or, if it has none, a hash of the signed fields that are the same
// in every attempt.
func (e *Event) key(id string, data json.RawMessage) string {
	if len(id) > maxIDBytes {
		return hash("id", id)
	}
	if id != "" {
		return id
	}
	micros := func(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }
	kind, occurred, r := string(e.Type), micros(e.OccurredAt), e.Response
	switch {
	case e.Type == clicknps.EventResponseCreated, e.Type == clicknps.EventResponseUpdated:
		score := strconv.Itoa(r.Score)
		return hash(kind, occurred, r.SurveyID, r.SubjectID, score, r.Comment, micros(r.UpdatedAt))
	case e.Type == clicknps.EventSurveyCompleted:
		return hash(kind, occurred, e.SurveyID)
	case slices.Contains([]string{"", "null", "{}", "[]", `""`}, string(data)):
		// The body may change with each attempt. Handling the event twice is better than sharing
		// one key between events.
		return hash(kind, string(e.RawJSON))
	}
	return hash(kind, occurred, string(data))
}

// hash prefixes each part with its length, so that different lists of parts never produce the same
// input.
func hash(parts ...string) string {
	encoded := make([]byte, 0, 512)
	for _, part := range parts {
		encoded = binary.AppendUvarint(encoded, uint64(len(part)))
		encoded = append(encoded, part...)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}
