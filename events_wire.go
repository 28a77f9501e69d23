package clicknps

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// wireEvent is a delivery's body. A flat one is a response without a type; an envelope has a type and, in data, the rest.
type wireEvent struct {
	wirePayload
	Type      member       `json:"type"`
	Event     member       `json:"event"` // another name of type
	Timestamp member       `json:"timestamp"`
	Data      *wirePayload `json:"data"` // nil if it is no object
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
	err := json.Unmarshal(body, &wire)
	if mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && mismatch.Field == "" {
		return nil, noTimestamp, errors.New("not a JSON object")
	} else if err != nil && !ok {
		return nil, noTimestamp, err
	}
	var r memberReader
	e := &Event{raw: body}
	kind := noTimestamp
	switch {
	case wire.Timestamp.present():
		kind, e.Timestamp = attemptTimestamp, r.time("timestamp", wire.Timestamp)
	case wire.CreatedAt.present():
		kind, e.Timestamp = eventTimestamp, r.time("created_at", wire.CreatedAt)
	}
	e.Type = EventType(cmp.Or(r.text("type", wire.Type), r.text("event", wire.Event)))
	switch {
	case e.Type != "":
		e.readEnvelope(&wire, &r)
	case wire.Data != nil:
		r.fail("type", "missing")
	default:
		e.Type = EventResponseCreated
		e.setResponse(r.response(&wire.wirePayload))
		e.Key = e.hash()
	}
	return e, kind, r.err
}

// readEnvelope sets what an event with a type is about, and its key.
func (e *Event) readEnvelope(wire *wireEvent, r *memberReader) {
	id := r.text("id", wire.ID)
	payload := wire.Data
	if payload != nil {
		r.path = "data."
	} else {
		payload = &wire.wirePayload
		payload.ID, payload.CreatedAt = "", "" // the event's own
	}
	switch e.Type {
	case EventResponseCreated, EventResponseUpdated:
		e.setResponse(r.response(payload))
	case EventSurveyCompleted:
		e.setSurvey(r.survey(payload))
	default:
		e.setUnknown(payload)
	}
	if e.Key = id; id == "" {
		e.Key = e.hash()
	}
}

func (e *Event) setResponse(response *Response) {
	e.Response, e.SurveyID = response, response.SurveyID
}

func (e *Event) setSurvey(survey *Survey) {
	e.Survey, e.SurveyID = survey, survey.ID
}

// setUnknown makes what it can of an event that this SDK does not know. Nothing is wrong with what it can't read.
func (e *Event) setUnknown(payload *wirePayload) {
	var r memberReader
	switch kind, _, _ := strings.Cut(string(e.Type), "."); kind {
	case "response":
		if response := r.response(payload); r.err == nil {
			e.setResponse(response)
		}
	case "survey":
		if survey := r.survey(payload); r.err == nil {
			e.setSurvey(survey)
		}
	}
	e.SurveyID = cmp.Or(e.SurveyID, r.text("survey_id", payload.SurveyID))
}

// hash is the key of an event without an id: a hash of what stays the same in each attempt to deliver it.
func (e *Event) hash() string {
	switch e.Type {
	case EventResponseCreated, EventResponseUpdated:
		return hashKey(string(e.Type), e.SurveyID, e.Response.SubjectID, strconv.Itoa(e.Response.Score), e.Response.Comment)
	case EventSurveyCompleted:
		return hashKey(string(e.Type), e.SurveyID)
	}
	var content struct{ Data json.RawMessage }
	if err := json.Unmarshal(e.raw, &content); err != nil || content.Data == nil || string(content.Data) == "null" {
		content.Data = e.raw // it may change with each attempt, but then it is handled twice rather than never
	}
	return hashKey(string(e.Type), string(content.Data))
}

// hashKey puts its length in front of each part, so that no two lists of parts are hashed as the same bytes.
func hashKey(parts ...string) string {
	encoded := make([]byte, 0, 256)
	for _, part := range parts {
		encoded = binary.AppendUvarint(encoded, uint64(len(part)))
		encoded = append(encoded, part...)
	}
	sum := sha256.Sum256(encoded)
	return string(hex.AppendEncode(encoded[:0], sum[:]))
}
