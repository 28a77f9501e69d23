package clicknps

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

// member is one member of a JSON object as it stands in the body; empty if there is none.
type member string

// repeated is a member that occurs more than once: which of them counts is not for a receiver to guess.
const repeated member = "repeated"

// UnmarshalJSON keeps data.
func (m *member) UnmarshalJSON(data []byte) error {
	if *m == "" {
		*m = member(data)
	} else {
		*m = repeated
	}
	return nil
}

func (m member) present() bool { return m != "" && m != "null" }

// memberReader reads members as Go values and keeps the first error. Null is absent, a number may be in a string.
type memberReader struct {
	path string // of the members' object in the body, with a dot at its end
	err  error
}

func (r *memberReader) fail(name, problem string) {
	r.keep(errors.New(r.path + name + ": " + problem))
}

func (r *memberReader) keep(err error) {
	if r.err == nil {
		r.err = err
	}
}

// text returns a string, or a number as it is written; "" if the member is absent.
func (r *memberReader) text(name string, m member) string {
	if !m.present() {
		return ""
	}
	switch first := m[0]; {
	case m == repeated:
		r.fail(name, "occurs more than once")
		return ""
	case first == '"' && !strings.Contains(string(m), `\`):
		return string(m[1 : len(m)-1])
	case first == '"':
		var unescaped string
		r.keep(json.Unmarshal([]byte(m), &unescaped))
		return unescaped
	case first == '-', '0' <= first && first <= '9':
		return string(m)
	}
	r.fail(name, "not a string")
	return ""
}

func (r *memberReader) required(name string, m member) string {
	text := r.text(name, m)
	if text == "" {
		r.fail(name, "missing")
	}
	return text
}

func (r *memberReader) score(name string, m member) int {
	text := r.required(name, m)
	number, err := strconv.ParseFloat(text, 64)
	score := int(number)
	if err != nil || float64(score) != number || score < 0 || score > 10 {
		r.fail(name, "not a whole number from 0 to 10")
		return 0
	}
	return score
}

// time returns the zero time if the member is absent.
func (r *memberReader) time(name string, m member) time.Time {
	if !m.present() {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, r.text(name, m))
	if err != nil {
		r.fail(name, "not an RFC 3339 time")
	}
	return t
}

func (r *memberReader) response(p *wirePayload) *Response {
	return &Response{
		ID:        r.text("id", p.ID),
		SurveyID:  r.required("survey_id", p.SurveyID),
		SubjectID: r.required("subject_id", p.SubjectID),
		Score:     r.score("score", p.Score),
		Comment:   r.text("comment", p.Comment),
		CreatedAt: r.time("created_at", p.CreatedAt),
		UpdatedAt: r.time("updated_at", p.UpdatedAt),
	}
}

func (r *memberReader) survey(p *wirePayload) *Survey {
	id := p.SurveyID
	if !id.present() {
		id = p.ID
	}
	return &Survey{
		ID:        r.required("survey_id", id),
		Name:      r.text("name", p.Name),
		Question:  r.text("question", p.Question),
		Status:    SurveyStatus(r.text("status", p.Status)),
		CreatedAt: r.time("created_at", p.CreatedAt),
		UpdatedAt: r.time("updated_at", p.UpdatedAt),
	}
}
