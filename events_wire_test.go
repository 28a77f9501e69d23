package clicknps_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
)

// verifySigned verifies a body that is signed as it should be, whatever its timestamp.
func verifySigned(t testing.TB, body string) (*clicknps.Event, error) {
	t.Helper()
	return newVerifier(t, clicknps.WithTolerance(0)).Verify(signed(body), []byte(body))
}

func TestVerifyDecodes(t *testing.T) {
	created := time.Date(2026, 11, 22, 0, 32, 18, 0, time.UTC)
	answer := &clicknps.Response{SurveyID: "s", SubjectID: "u", Score: 9}
	for name, test := range map[string]struct {
		body string
		want clicknps.Event // without its key, unless it has an id
	}{
		"flat": {
			`{"survey_id":"s","subject_id":"u","score":0,"comment":"no","timestamp":"2026-11-22T00:32:18Z"}`,
			clicknps.Event{
				Type: clicknps.EventResponseCreated, SurveyID: "s", Timestamp: created,
				Response: &clicknps.Response{SurveyID: "s", SubjectID: "u", Comment: "no"},
			},
		},
		"flat, odd types": {
			`{"survey_id":7,"subject_id":42,"score":"9","comment":null,"timestamp":null,"extra":{"a":[1]}}`,
			clicknps.Event{
				Type: clicknps.EventResponseCreated, SurveyID: "7",
				Response: &clicknps.Response{SurveyID: "7", SubjectID: "42", Score: 9},
			},
		},
		"flat, with the response's own id and time": {
			`{"id":"resp_1","survey_id":"s","subject_id":"u","score":9.0,"created_at":"2026-11-22T00:32:18Z"}`,
			clicknps.Event{
				Type: clicknps.EventResponseCreated, SurveyID: "s", Timestamp: created,
				Response: &clicknps.Response{ID: "resp_1", SurveyID: "s", SubjectID: "u", Score: 9, CreatedAt: created},
			},
		},
		"flat, with a type": {
			`{"id":"evt_1","event":"response.updated","survey_id":"s","subject_id":"u","score":9,"timestamp":"2026-11-22T00:32:18Z"}`,
			clicknps.Event{Type: clicknps.EventResponseUpdated, Key: "evt_1", SurveyID: "s", Timestamp: created, Response: answer},
		},
		"envelope with type": {
			`{"id":"evt_1","type":"response.created","created_at":"2026-11-22T00:32:18Z","data":{"survey_id":"s","subject_id":"u","score":9}}`,
			clicknps.Event{Type: clicknps.EventResponseCreated, Key: "evt_1", SurveyID: "s", Timestamp: created, Response: answer},
		},
		"envelope with event": {
			`{"id":12,"event":"response.updated","data":{"id":"resp_1","survey_id":"s","subject_id":"u","score":"10","comment":"a \"b\" \u00e9",` +
				`"created_at":"2026-11-22T00:32:18Z","updated_at":"2026-11-22T01:32:18+01:00"}}`,
			clicknps.Event{
				Type: clicknps.EventResponseUpdated, Key: "12", SurveyID: "s",
				Response: &clicknps.Response{
					ID: "resp_1", SurveyID: "s", SubjectID: "u", Score: 10, Comment: `a "b" é`, CreatedAt: created,
					UpdatedAt: time.Date(2026, 11, 22, 1, 32, 18, 0, time.FixedZone("", 3600)),
				},
			},
		},
		"survey completed": {
			`{"id":"evt_1","type":"survey.completed","created_at":"2026-11-22T00:32:18Z","data":{"id":"s","name":"N","question":"Q",` +
				`"status":"completed","created_at":"2026-11-22T00:32:18Z","target":100}}`,
			clicknps.Event{
				Type: clicknps.EventSurveyCompleted, Key: "evt_1", SurveyID: "s", Timestamp: created,
				Survey: &clicknps.Survey{ID: "s", Name: "N", Question: "Q", Status: clicknps.SurveyStatusCompleted, CreatedAt: created},
			},
		},
		"survey completed, by its survey_id": {
			`{"id":"evt_1","type":"survey.completed","data":{"id":"target_1","survey_id":"s"}}`,
			clicknps.Event{Type: clicknps.EventSurveyCompleted, Key: "evt_1", SurveyID: "s", Survey: &clicknps.Survey{ID: "s"}},
		},
		"unknown": {
			`{"id":"evt_1","type":"account.renamed","data":{"score":"?","survey_id":"s"}}`,
			clicknps.Event{Type: "account.renamed", Key: "evt_1", SurveyID: "s"},
		},
		"unknown, of a response": {
			`{"id":"evt_1","type":"response.deleted","data":{"survey_id":"s","subject_id":"u","score":9}}`,
			clicknps.Event{Type: "response.deleted", Key: "evt_1", SurveyID: "s", Response: answer},
		},
		"unknown, of a response that can't be read": {
			`{"id":"evt_1","type":"response.deleted","data":{"id":"resp_1","survey_id":"s"}}`,
			clicknps.Event{Type: "response.deleted", Key: "evt_1", SurveyID: "s"},
		},
		"unknown, of a survey": {
			`{"id":"evt_1","type":"survey.paused","data":{"id":"s","status":"paused"}}`,
			clicknps.Event{Type: "survey.paused", Key: "evt_1", SurveyID: "s", Survey: &clicknps.Survey{ID: "s", Status: clicknps.SurveyStatusPaused}},
		},
		"unknown, data is a list":   {`{"id":"evt_1","type":"batch","data":[1,2]}`, clicknps.Event{Type: "batch", Key: "evt_1"}},
		"unknown, data is a string": {`{"id":"evt_1","type":"batch","data":"x"}`, clicknps.Event{Type: "batch", Key: "evt_1"}},
		"unknown, no data":          {`{"id":"evt_1","type":"ping"}`, clicknps.Event{Type: "ping", Key: "evt_1"}},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := verifySigned(t, test.body)
			require.NoError(t, err)
			assert.Equal(t, test.body, string(event.RawJSON()))
			assert.Equal(t, test.want.Type, event.Type)
			assert.Equal(t, test.want.SurveyID, event.SurveyID)
			assert.True(t, test.want.Timestamp.Equal(event.Timestamp), event.Timestamp)
			assert.Equal(t, test.want.Response, event.Response)
			assert.Equal(t, test.want.Survey, event.Survey)
			if test.want.Key != "" {
				assert.Equal(t, test.want.Key, event.Key)
			} else {
				assert.Regexp(t, "^[0-9a-f]{64}$", event.Key)
			}
		})
	}
}

func TestVerifyDecodesTheWireBodies(t *testing.T) {
	for name, want := range map[string]clicknps.EventType{
		"webhook_flat":             clicknps.EventResponseCreated,
		"webhook_flat_comment":     clicknps.EventResponseCreated,
		"webhook_response_updated": clicknps.EventResponseUpdated,
		"webhook_survey_completed": clicknps.EventSurveyCompleted,
	} {
		t.Run(name, func(t *testing.T) {
			body, err := os.ReadFile("testdata/wire/" + name + ".json")
			require.NoError(t, err)
			event, err := verifySigned(t, string(body))
			require.NoError(t, err)
			assert.Equal(t, want, event.Type)
			assert.False(t, event.Timestamp.IsZero())
			if want == clicknps.EventSurveyCompleted {
				assert.Equal(t, "My Survey", event.Survey.Name)
			} else {
				assert.GreaterOrEqual(t, event.Response.Score, 9)
			}
		})
	}
}

func TestVerifyRefusesMalformedBodies(t *testing.T) {
	const rest = `"survey_id":"s","subject_id":"u"`
	for name, test := range map[string]struct{ body, want string }{
		"empty":                    {"", "unexpected end of JSON input"},
		"null":                     {"null", "survey_id: missing"},
		"list":                     {`[{` + rest + `,"score":9}]`, "not a JSON object"},
		"string":                   {`"x"`, "not a JSON object"},
		"no object":                {"{}", "survey_id: missing"},
		"cut off":                  {`{` + rest + `,"sco`, "unexpected end of JSON input"},
		"trailing garbage":         {`{` + rest + `,"score":9} x`, "invalid character 'x' after top-level value"},
		"two values":               {`{` + rest + `,"score":9}{}`, "invalid character '{' after top-level value"},
		"byte order mark":          {"\ufeff{" + rest + `,"score":9}`, "invalid character"},
		"not UTF-8":                {`{` + rest + `,"score":9,"comment":"` + "\xff" + `"}`, "not UTF-8"},
		"HTML":                     {"<html></html>", "invalid character '<'"},
		"too deep":                 {`{` + rest + `,"score":9,"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, "max depth"},
		"no survey":                {`{"subject_id":"u","score":9}`, "survey_id: missing"},
		"empty survey":             {`{"survey_id":"","subject_id":"u","score":9}`, "survey_id: missing"},
		"null survey":              {`{"survey_id":null,"subject_id":"u","score":9}`, "survey_id: missing"},
		"no subject":               {`{"survey_id":"s","score":9}`, "subject_id: missing"},
		"no score":                 {`{` + rest + `}`, "score: missing"},
		"null score":               {`{` + rest + `,"score":null}`, "score: missing"},
		"empty score":              {`{` + rest + `,"score":""}`, "score: missing"},
		"score over 10":            {`{` + rest + `,"score":11}`, "score: not a whole number from 0 to 10"},
		"score under 0":            {`{` + rest + `,"score":-1}`, "score: not a whole number from 0 to 10"},
		"score half":               {`{` + rest + `,"score":9.5}`, "score: not a whole number from 0 to 10"},
		"score huge":               {`{` + rest + `,"score":1e400}`, "score: not a whole number from 0 to 10"},
		"score past 64 bits":       {`{` + rest + `,"score":1e19}`, "score: not a whole number from 0 to 10"},
		"score in words":           {`{` + rest + `,"score":"nine"}`, "score: not a whole number from 0 to 10"},
		"score NaN":                {`{` + rest + `,"score":"NaN"}`, "score: not a whole number from 0 to 10"},
		"score true":               {`{` + rest + `,"score":true}`, "score: not a string"},
		"survey is an object":      {`{"survey_id":{},"subject_id":"u","score":9}`, "survey_id: not a string"},
		"comment is a list":        {`{` + rest + `,"score":9,"comment":[]}`, "comment: not a string"},
		"timestamp unreadable":     {`{` + rest + `,"score":9,"timestamp":"yesterday"}`, "timestamp: not an RFC 3339 time"},
		"timestamp empty":          {`{` + rest + `,"score":9,"timestamp":""}`, "timestamp: not an RFC 3339 time"},
		"timestamp a number":       {`{` + rest + `,"score":9,"timestamp":1795307538}`, "timestamp: not an RFC 3339 time"},
		"duplicate score":          {`{` + rest + `,"score":9,"score":1}`, "score: occurs more than once"},
		"duplicate in other case":  {`{` + rest + `,"score":9,"Score":1}`, "score: occurs more than once"},
		"duplicate after null":     {`{` + rest + `,"score":null,"score":1}`, "score: occurs more than once"},
		"duplicate timestamp":      {`{` + rest + `,"score":9,"timestamp":null,"timestamp":"2026-11-22T00:32:18Z"}`, "timestamp: occurs more than once"},
		"duplicate type":           {`{"type":"ping","type":"response.created"}`, "type: occurs more than once"},
		"duplicate in data":        {`{"type":"response.created","data":{` + rest + `,"score":9,"score":1}}`, "data.score: occurs more than once"},
		"data without type":        {`{"id":"evt_1","data":{` + rest + `,"score":9}}`, "type: missing"},
		"type is a list":           {`{"type":[],"data":{` + rest + `,"score":9}}`, "type: not a string"},
		"envelope without data":    {`{"id":"evt_1","type":"response.created"}`, "survey_id: missing"},
		"envelope, null data":      {`{"id":"evt_1","type":"response.created","data":null}`, "survey_id: missing"},
		"envelope, data a list":    {`{"id":"evt_1","type":"response.updated","data":[1]}`, "survey_id: missing"},
		"envelope without score":   {`{"id":"evt_1","type":"response.updated","data":{` + rest + `}}`, "data.score: missing"},
		"envelope, score over 10":  {`{"id":"evt_1","type":"response.created","data":{` + rest + `,"score":11}}`, "data.score: not a whole number"},
		"envelope, created_at odd": {`{"id":"evt_1","type":"ping","created_at":"x"}`, "created_at: not an RFC 3339 time"},
		"completed without survey": {`{"id":"evt_1","type":"survey.completed","data":{"name":"N"}}`, "data.survey_id: missing"},
		"completed without data":   {`{"id":"evt_1","type":"survey.completed"}`, "survey_id: missing"},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := verifySigned(t, test.body)
			require.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, "clicknps: webhook: malformed body: ")
			assert.NotErrorIs(t, err, clicknps.ErrInvalidSignature)
			assert.NotErrorIs(t, err, clicknps.ErrStaleEvent)
			assert.Nil(t, event)
		})
	}
}

func TestVerifyKeepsItsOwnCopyOfTheBody(t *testing.T) {
	const text = `{"survey_id":"s","subject_id":"u","score":9,"comment":"kept"}`
	body := []byte(text)
	event, err := newVerifier(t).Verify(signed(text), body)
	require.NoError(t, err)
	clear(body)
	assert.Equal(t, text, string(event.RawJSON()))
	assert.Equal(t, "kept", event.Response.Comment)
}

func TestEventKey(t *testing.T) {
	key := func(body string) string {
		event, err := verifySigned(t, body)
		require.NoError(t, err, body)
		return event.Key
	}
	t.Run("is the same for every attempt", func(t *testing.T) {
		for _, bodies := range [][]string{
			{
				`{"survey_id":"s","subject_id":"u","score":9,"comment":null,"timestamp":"2026-11-22T00:32:18.355Z"}`,
				`{"survey_id":"s","subject_id":"u","score":9,"comment":null,"timestamp":"2026-11-22T00:33:18.400Z"}`,
				`{ "timestamp":"2026-11-22T00:33:18.400Z", "score":"9","subject_id":"u","survey_id":"s" }`,
			},
			{
				`{"id":"evt_1","type":"ping","created_at":"2026-11-22T00:32:18Z"}`,
				`{"id":"evt_1","type":"ping","created_at":"2026-11-22T00:32:18Z","timestamp":"2026-11-22T00:33:18Z"}`,
			},
			{
				`{"type":"account.renamed","timestamp":"2026-11-22T00:32:18Z","data":{"name":"A"}}`,
				`{"type":"account.renamed","timestamp":"2026-11-22T00:33:18Z","data":{"name":"A"}}`,
			},
			{
				`{"event":"survey.completed","survey_id":"s","timestamp":"2026-11-22T00:32:18Z"}`,
				`{"event":"survey.completed","survey_id":"s","timestamp":"2026-11-22T00:33:18Z"}`,
			},
		} {
			for _, body := range bodies {
				assert.Equal(t, key(bodies[0]), key(body), body)
			}
		}
	})
	t.Run("differs between events", func(t *testing.T) {
		seen := map[string]string{}
		for _, body := range []string{
			`{"survey_id":"s","subject_id":"u","score":9}`,
			`{"survey_id":"s","subject_id":"u","score":8}`,
			`{"survey_id":"s","subject_id":"u","score":9,"comment":"x"}`,
			`{"survey_id":"s","subject_id":"v","score":9}`,
			`{"survey_id":"t","subject_id":"u","score":9}`,
			`{"type":"response.updated","data":{"survey_id":"s","subject_id":"u","score":9}}`,
			`{"survey_id":"ab","subject_id":"c","score":9}`,
			`{"survey_id":"a","subject_id":"bc","score":9}`,
			`{"survey_id":"a","subject_id":"b","score":1,"comment":"0"}`,
			`{"survey_id":"a","subject_id":"b","score":10}`,
			`{"type":"survey.completed","data":{"id":"s"}}`,
			`{"type":"survey.completed","data":{"id":"t"}}`,
			`{"type":"account.renamed","data":{"name":"A"}}`,
			`{"type":"account.renamed","data":{"name":"B"}}`,
			`{"type":"account.removed","data":{"name":"A"}}`,
			`{"type":"ping","n":1}`,
			`{"type":"ping","n":2,"data":null}`,
		} {
			k := key(body)
			assert.NotContains(t, seen, k, body)
			seen[k] = body
		}
	})
}
