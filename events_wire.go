package clicknps

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// wireEvent is a delivery's body. A flat one is a response without a type; an envelope has a type and, in data, the rest.
type wireEvent struct {
	wirePayload
	Type      member `json:"type"`
	Event     member `json:"event"` // another name of type
	Timestamp member `json:"timestamp"`
	Data      member `json:"data"`
}

// wirePayload is a response or a survey, as far as a delivery tells of it.
type wirePayload struct {
	ID        member `json:"id"`
	SurveyID  member `json:"survey_id"`
	SubjectID member `json:"subject_id"`
	Score     member `json:"score"`
	Comment   member `json:"comment"`
	Name      member `json:"name"`
	Question  member `json:"question"`
	Status    member `json:"status"`
	CreatedAt member `json:"created_at"`
	UpdatedAt member `json:"updated_at"`
}

// timestampKind says what the signed timestamp is the time of.
type timestampKind int

const (
	noTimestamp timestampKind = iota
	attemptTimestamp
	eventTimestamp
)

// parseEvent decodes a delivery's body, which the event keeps.
func parseEvent(body []byte) (*Event, timestampKind, error) {
	if !utf8.Valid(body) {
		return nil, noTimestamp, errors.New("not UTF-8")
	}
	var wire wireEvent
	if err := unmarshalObject(body, &wire); err != nil {
		return nil, noTimestamp, err
	}
	e := &Event{raw: body}
	kind := noTimestamp
	var r memberReader
	switch {
	case wire.Timestamp.present():
		kind, e.Timestamp = attemptTimestamp, r.time("timestamp", wire.Timestamp)
	case wire.CreatedAt.present():
		kind, e.Timestamp = eventTimestamp, r.time("created_at", wire.CreatedAt)
	}
	e.Type = EventType(cmp.Or(r.text("type", wire.Type), r.text("event", wire.Event)))
	switch {
	case e.Type != "":
		wire.readEnvelope(e, &r)
	case wire.Data.present():
		r.fail("type", "missing")
	default:
		e.Type = EventResponseCreated
		e.setResponse(&wire.wirePayload, &r)
		e.Key = responseKey(e)
	}
	return e, kind, r.err
}

// readEnvelope sets what an event with a type is about, and its key.
func (w *wireEvent) readEnvelope(e *Event, r *memberReader) {
	id := r.text("id", w.ID)
	payload, content := w.wirePayload, e.raw
	payload.ID, payload.CreatedAt = member{}, member{} // the event's own
	var data memberReader
	if w.Data.repeated {
		r.fail("data", "occurs more than once")
	}
	if w.Data.present() {
		content = []byte(w.Data.json)
		data.path, payload = "data.", wirePayload{}
		if err := unmarshalObject(content, &payload); err != nil {
			data.keep(fmt.Errorf("data: %w", err))
		}
	}
	switch e.Type {
	case EventResponseCreated, EventResponseUpdated:
		e.setResponse(&payload, &data)
		e.Key = cmp.Or(id, responseKey(e))
		r.keep(data.err)
	case EventSurveyCompleted:
		e.setSurvey(&payload, &data)
		e.Key = cmp.Or(id, hashKey(string(e.Type), e.SurveyID)) // a survey completes once
		r.keep(data.err)
	default:
		e.setUnknown(&payload, &data)
		e.Key = cmp.Or(id, hashKey(string(e.Type), string(content)))
	}
}

func (e *Event) setResponse(p *wirePayload, r *memberReader) {
	e.Response = &Response{
		ID:        r.text("id", p.ID),
		SurveyID:  r.required("survey_id", p.SurveyID),
		SubjectID: r.required("subject_id", p.SubjectID),
		Score:     r.score("score", p.Score),
		Comment:   r.text("comment", p.Comment),
		CreatedAt: r.time("created_at", p.CreatedAt),
		UpdatedAt: r.time("updated_at", p.UpdatedAt),
	}
	e.SurveyID = e.Response.SurveyID
}

func (e *Event) setSurvey(p *wirePayload, r *memberReader) {
	id := p.SurveyID
	if !id.present() {
		id = p.ID
	}
	e.Survey = &Survey{
		ID:        r.required("survey_id", id),
		Name:      r.text("name", p.Name),
		Question:  r.text("question", p.Question),
		Status:    SurveyStatus(r.text("status", p.Status)),
		CreatedAt: r.time("created_at", p.CreatedAt),
		UpdatedAt: r.time("updated_at", p.UpdatedAt),
	}
	e.SurveyID = e.Survey.ID
}

// setUnknown makes what it can of an event that this SDK does not know. Whatever can't be read is left out.
func (e *Event) setUnknown(p *wirePayload, r *memberReader) {
	e.SurveyID = r.text("survey_id", p.SurveyID)
	switch {
	case strings.HasPrefix(string(e.Type), "response."):
		e.setResponse(p, r)
	case strings.HasPrefix(string(e.Type), "survey."):
		e.setSurvey(p, r)
	}
	if r.err != nil {
		e.Response, e.Survey = nil, nil
	}
}

// responseKey is the key of a response event without an id: what is the same in each attempt.
func responseKey(e *Event) string {
	return hashKey(string(e.Type), e.SurveyID, e.Response.SubjectID, strconv.Itoa(e.Response.Score), e.Response.Comment)
}

// hashKey puts its length in front of each part, so that no two lists of parts are hashed as the same bytes.
func hashKey(parts ...string) string {
	encoded := make([]byte, 0, 256)
	for _, part := range parts {
		encoded = binary.AppendUvarint(encoded, uint64(len(part)))
		encoded = append(encoded, part...)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:])
}

func unmarshalObject(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return errors.New("not a JSON object")
	}
	return err
}
