package webhook_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clicknps/go-sdk"
	"github.com/clicknps/go-sdk/webhook"
)

// verifySigned verifies a body that is signed as it should be, whatever its timestamp.
func verifySigned(t testing.TB, body string) (*webhook.Event, error) {
	t.Helper()
	return newVerifier(t, webhook.WithTolerance(0)).Verify(signed(body), []byte(body))
}

func TestVerifyDecodes(t *testing.T) {
	at := time.Date(2026, 11, 22, 0, 32, 18, 0, time.UTC)
	answer := &clicknps.Response{SurveyID: "s", SubjectID: "u", Score: 9}
	const rest = `"survey_id":"s","subject_id":"u"`
	for name, test := range map[string]struct {
		body string
		want webhook.Event // without its body, and without its key unless it has an id
	}{
		"flat": {
			`{` + rest + `,"score":0,"comment":"no","timestamp":"2026-11-22T00:32:18Z"}`,
			webhook.Event{
				Type: clicknps.EventResponseCreated, SurveyID: "s", SentAt: at,
				Response: &clicknps.Response{SurveyID: "s", SubjectID: "u", Comment: "no"},
			},
		},
		"flat, 10": {
			`{` + rest + `,"score":10}`,
			webhook.Event{
				Type: clicknps.EventResponseCreated, SurveyID: "s",
				Response: &clicknps.Response{SurveyID: "s", SubjectID: "u", Score: 10},
			},
		},
		"flat, odd types": {
			`{"survey_id":7,"subject_id":42,"score":"9","comment":null,"timestamp":null,"extra":{"a":[1]}}`,
			webhook.Event{
				Type: clicknps.EventResponseCreated, SurveyID: "7",
				Response: &clicknps.Response{SurveyID: "7", SubjectID: "42", Score: 9},
			},
		},
		"flat, null score": {
			`{` + rest + `,"score":null}`,
			webhook.Event{
				Type: clicknps.EventResponseCreated, SurveyID: "s",
				Response: &clicknps.Response{SurveyID: "s", SubjectID: "u", Score: clicknps.NoScore},
			},
		},
		"flat, no score": {
			`{` + rest + `}`,
			webhook.Event{
				Type: clicknps.EventResponseCreated, SurveyID: "s",
				Response: &clicknps.Response{SurveyID: "s", SubjectID: "u", Score: clicknps.NoScore},
			},
		},
		"flat, unreadable times": {
			`{` + rest + `,"score":9,"timestamp":"yesterday","updated_at":""}`,
			webhook.Event{Type: clicknps.EventResponseCreated, SurveyID: "s", Response: answer},
		},
		"flat, time in milliseconds": {
			`{` + rest + `,"score":9,"timestamp":1795307538000}`,
			webhook.Event{Type: clicknps.EventResponseCreated, SurveyID: "s", SentAt: at, Response: answer},
		},
		"flat, with the response's own id and time": {
			`{"id":"resp_1",` + rest + `,"score":9.0,"created_at":"2026-11-22T00:32:18Z"}`,
			webhook.Event{
				Type: clicknps.EventResponseCreated, SurveyID: "s",
				Response: &clicknps.Response{ID: "resp_1", SurveyID: "s", SubjectID: "u", Score: 9, CreatedAt: at},
			},
		},
		"flat, data that is no object": {
			`{` + rest + `,"score":9,"data":[1]}`,
			webhook.Event{Type: clicknps.EventResponseCreated, SurveyID: "s", Response: answer},
		},
		"flat, duplicates: the last one counts": {
			`{` + rest + `,"score":1,"Score":3,"score":9}`,
			webhook.Event{Type: clicknps.EventResponseCreated, SurveyID: "s", Response: answer},
		},
		"flat, byte order mark": {
			"\ufeff{" + rest + `,"score":9}`,
			webhook.Event{Type: clicknps.EventResponseCreated, SurveyID: "s", Response: answer},
		},
		"flat, with a type": {
			`{"id":"evt_1","event":"response.updated",` + rest + `,"score":9,"timestamp":"2026-11-22T00:32:18Z"}`,
			webhook.Event{Type: clicknps.EventResponseUpdated, Key: "evt_1", SurveyID: "s", SentAt: at, Response: answer},
		},
		"with a type, without data: id and time are the event's": {
			`{"id":"evt_1","type":"response.created",` + rest + `,"score":9,"created_at":"2026-11-22T00:32:18Z"}`,
			webhook.Event{Type: clicknps.EventResponseCreated, Key: "evt_1", SurveyID: "s", OccurredAt: at, Response: answer},
		},
		"envelope with type": {
			`{"id":"evt_1","type":"response.created","created_at":"2026-11-22T00:32:18Z","data":{` + rest + `,"score":9}}`,
			webhook.Event{Type: clicknps.EventResponseCreated, Key: "evt_1", SurveyID: "s", OccurredAt: at, Response: answer},
		},
		"envelope with event": {
			`{"id":12,"event":"response.updated","data":{"id":"resp_1",` + rest + `,"score":"10","comment":"a \"b\" \u00e9",` +
				`"created_at":"2026-11-22T00:32:18Z","updated_at":1795307538}}`,
			webhook.Event{
				Type: clicknps.EventResponseUpdated, Key: "12", SurveyID: "s",
				Response: &clicknps.Response{
					ID: "resp_1", SurveyID: "s", SubjectID: "u", Score: 10, Comment: `a "b" é`, CreatedAt: at, UpdatedAt: at,
				},
			},
		},
		"envelope, type wins over event": {
			`{"id":"evt_1","event":"ping","type":"response.created","data":{` + rest + `,"score":9}}`,
			webhook.Event{Type: clicknps.EventResponseCreated, Key: "evt_1", SurveyID: "s", Response: answer},
		},
		"envelope, odd fields beside data": {
			`{"id":"evt_1","type":"response.created","score":{},"status":[1],"data":{` + rest + `,"score":9}}`,
			webhook.Event{Type: clicknps.EventResponseCreated, Key: "evt_1", SurveyID: "s", Response: answer},
		},
		"envelope, unreadable times": {
			`{"id":"evt_1","type":"response.updated","created_at":"x","data":{` + rest + `,"score":9,"created_at":{},"updated_at":""}}`,
			webhook.Event{Type: clicknps.EventResponseUpdated, Key: "evt_1", SurveyID: "s", Response: answer},
		},
		"envelope, time without zone": {
			`{"id":"evt_1","type":"response.updated","data":{` + rest + `,"score":9,"updated_at":"2026-11-22 00:32:18"}}`,
			webhook.Event{
				Type: clicknps.EventResponseUpdated, Key: "evt_1", SurveyID: "s",
				Response: &clicknps.Response{SurveyID: "s", SubjectID: "u", Score: 9, UpdatedAt: at},
			},
		},
		"envelope, data twice: the last one counts": {
			`{"id":"evt_1","type":"response.created","data":{` + rest + `,"score":1,"comment":"old"},"data":{` + rest + `,"score":9}}`,
			webhook.Event{Type: clicknps.EventResponseCreated, Key: "evt_1", SurveyID: "s", Response: answer},
		},
		"survey completed": {
			`{"id":"evt_1","type":"survey.completed","created_at":"2026-11-22T00:32:18Z","data":{"id":"s","name":"N","question":"Q",` +
				`"status":"completed","created_at":"2026-11-22T00:32:18Z","updated_at":"2026-11-22T00:32:18Z","target":100}}`,
			webhook.Event{
				Type: clicknps.EventSurveyCompleted, Key: "evt_1", SurveyID: "s", OccurredAt: at,
				Survey: &clicknps.Survey{
					ID: "s", Name: "N", Question: "Q", Status: clicknps.SurveyStatusCompleted, CreatedAt: at, UpdatedAt: at,
				},
			},
		},
		"survey completed, by its survey_id": {
			`{"id":"evt_1","type":"survey.completed","data":{"id":"target_1","survey_id":"s"}}`,
			webhook.Event{Type: clicknps.EventSurveyCompleted, Key: "evt_1", SurveyID: "s", Survey: &clicknps.Survey{ID: "s"}},
		},
		"unknown": {
			`{"id":"evt_1","type":"account.renamed","data":{"score":7,"survey_id":"s"}}`,
			webhook.Event{Type: "account.renamed", Key: "evt_1", SurveyID: "s"},
		},
		"unknown, of a response": {
			`{"id":"evt_1","type":"response.deleted","data":{` + rest + `,"score":9}}`,
			webhook.Event{Type: "response.deleted", Key: "evt_1", SurveyID: "s", Response: answer},
		},
		"unknown, of a response that is not whole": {
			`{"id":"evt_1","type":"response.deleted","data":{"id":"resp_1","survey_id":"s"}}`,
			webhook.Event{Type: "response.deleted", Key: "evt_1", SurveyID: "s"},
		},
		"unknown, with a payload that can't be read": {
			`{"id":"evt_1","type":"response.deleted","data":{"score":"?","survey_id":"s"}}`,
			webhook.Event{Type: "response.deleted", Key: "evt_1"},
		},
		"unknown, of a survey": {
			`{"id":"evt_1","type":"survey.paused","data":{"id":"s","status":"paused"}}`,
			webhook.Event{
				Type: "survey.paused", Key: "evt_1", SurveyID: "s",
				Survey: &clicknps.Survey{ID: "s", Status: clicknps.SurveyStatusPaused},
			},
		},
		"unknown, data is a list":   {`{"id":"evt_1","type":"batch","data":[1,2]}`, webhook.Event{Type: "batch", Key: "evt_1"}},
		"unknown, data is a string": {`{"id":"evt_1","type":"batch","data":"x"}`, webhook.Event{Type: "batch", Key: "evt_1"}},
		"unknown, no data":          {`{"id":"evt_1","type":"ping"}`, webhook.Event{Type: "ping", Key: "evt_1"}},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := verifySigned(t, test.body)
			require.NoError(t, err)
			if test.want.Key == "" {
				assert.Regexp(t, "^[0-9a-f]{64}$", event.Key)
				test.want.Key = event.Key
			}
			test.want.RawJSON = []byte(test.body)
			assert.Equal(t, test.want, *event)
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
			body, err := os.ReadFile("../testdata/wire/" + name + ".json")
			require.NoError(t, err)
			event, err := verifySigned(t, string(body))
			require.NoError(t, err)
			assert.Equal(t, want, event.Type)
			assert.NotEqual(t, event.SentAt.IsZero(), event.OccurredAt.IsZero())
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
		"empty":                    {"", "the body is empty; has a middleware read it?"},
		"null":                     {"null", "survey_id: missing"},
		"list":                     {`[{` + rest + `,"score":9}]`, ""},
		"string":                   {`"x"`, ""},
		"no object":                {"{}", "survey_id: missing"},
		"cut off":                  {`{` + rest + `,"sco`, "unexpected end of JSON input"},
		"trailing garbage":         {`{` + rest + `,"score":9} x`, "invalid character"},
		"two values":               {`{` + rest + `,"score":9}{}`, "invalid character"},
		"not UTF-8":                {`{` + rest + `,"score":9,"comment":"` + "\xff" + `"}`, "not UTF-8"},
		"HTML":                     {"<html></html>", "invalid character '<'"},
		"too deep":                 {`{` + rest + `,"score":9,"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, ""},
		"no survey":                {`{"subject_id":"u","score":9}`, "survey_id: missing"},
		"empty survey":             {`{"survey_id":"","subject_id":"u","score":9}`, "survey_id: missing"},
		"null survey":              {`{"survey_id":null,"subject_id":"u","score":9}`, "survey_id: missing"},
		"no subject":               {`{"survey_id":"s","score":9}`, "subject_id: missing"},
		"empty score":              {`{` + rest + `,"score":""}`, "score: "},
		"score over 10":            {`{` + rest + `,"score":11}`, "score: not a whole number from 0 to 10"},
		"score under 0":            {`{` + rest + `,"score":-1}`, "score: not a whole number from 0 to 10"},
		"score half":               {`{` + rest + `,"score":9.5}`, "score: "},
		"score huge":               {`{` + rest + `,"score":1e400}`, "score: "},
		"score past 64 bits":       {`{` + rest + `,"score":1e19}`, "score: "},
		"score with underscore":    {`{` + rest + `,"score":"1_0"}`, "score: "},
		"score in words":           {`{` + rest + `,"score":"nine"}`, "score: "},
		"score NaN":                {`{` + rest + `,"score":"NaN"}`, "score: "},
		"score true":               {`{` + rest + `,"score":true}`, "score: "},
		"survey is an object":      {`{"survey_id":{},"subject_id":"u","score":9}`, "survey_id: "},
		"comment is a list":        {`{` + rest + `,"score":9,"comment":[]}`, "comment: "},
		"data without type":        {`{"id":"evt_1","data":{` + rest + `,"score":9}}`, "type: missing"},
		"type is a list":           {`{"type":[],"data":{` + rest + `,"score":9}}`, "type: "},
		"envelope without data":    {`{"id":"evt_1","type":"response.created"}`, "survey_id: missing"},
		"envelope, null data":      {`{"id":"evt_1","type":"response.created","data":null}`, "survey_id: missing"},
		"envelope, data a list":    {`{"id":"evt_1","type":"response.updated","data":[1]}`, "survey_id: missing"},
		"envelope, score over 10":  {`{"id":"evt_1","type":"response.created","data":{` + rest + `,"score":11}}`, "score: not a whole number"},
		"envelope, score in words": {`{"id":"evt_1","type":"response.updated","data":{` + rest + `,"score":"nine"}}`, "score: "},
		"completed without survey": {`{"id":"evt_1","type":"survey.completed","data":{"name":"N"}}`, "survey_id: missing"},
		"completed, odd name":      {`{"id":"evt_1","type":"survey.completed","data":{"id":"s","name":{}}}`, "name: "},
		"completed without data":   {`{"id":"evt_1","type":"survey.completed"}`, "survey_id: missing"},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := verifySigned(t, test.body)
			require.ErrorContains(t, err, "webhook: malformed body: "+test.want)
			assert.NotErrorIs(t, err, webhook.ErrInvalidSignature)
			assert.NotErrorIs(t, err, webhook.ErrStale)
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
	assert.Equal(t, text, string(event.RawJSON))
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
				`{"event":"survey.completed","survey_id":"s","timestamp":"2026-11-22T00:32:18Z"}`,
				`{"event":"survey.completed","survey_id":"s","timestamp":"2026-11-22T00:33:18Z"}`,
			},
			{
				`{"type":"response.updated","created_at":"2026-11-22T00:32:18Z","data":{"survey_id":"s","subject_id":"u","comment":"A"}}`,
				`{"type":"response.updated","created_at":"2026-11-22T01:32:18+01:00","data":{"comment":"A","subject_id":"u","survey_id":"s"}}`,
			},
			{
				`{"id":"resp_1","survey_id":"s","subject_id":"u","score":9}`,
				`{"id":"resp_2","survey_id":"s","subject_id":"u","score":9,"created_at":"2026-11-22T00:32:18Z"}`,
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
			`{"type":"ping","n":3,"data":{}}`,
			`{"type":"ping","n":4,"data":{}}`,
			`{"type":"ping","n":5,"data":[]}`,
			`{"type":"ping","n":6,"data":[]}`,
			`{"type":"ping","n":7,"data":""}`,
			`{"type":"ping","n":8,"data":""}`,
			`{"type":"account.renamed","created_at":"2026-11-22T00:32:18Z","data":{"name":"A"}}`,
			`{"type":"response.updated","created_at":"2026-11-22T00:32:18Z","data":{"survey_id":"s","subject_id":"u","score":9,"comment":"A"}}`,
			`{"type":"response.updated","created_at":"2026-11-22T00:33:18Z","data":{"survey_id":"s","subject_id":"u","score":9,"comment":"B"}}`,
			`{"type":"response.updated","created_at":"2026-11-22T00:34:18Z","data":{"survey_id":"s","subject_id":"u","score":9,"comment":"A"}}`,
			`{"type":"response.updated","data":{"survey_id":"s","subject_id":"u","score":9,"comment":"A","updated_at":"2026-11-22T00:32:18Z"}}`,
			`{"type":"response.updated","data":{"survey_id":"s","subject_id":"u","score":9,"comment":"A","updated_at":"2026-11-22T00:33:18Z"}}`,
			`{"type":"response.created","data":{"survey_id":"s","subject_id":"u"}}`,
			`{"type":"response.created","data":{"survey_id":"s","subject_id":"u","score":0}}`,
			`{"type":"survey.completed","created_at":"2026-11-22T00:32:18Z","data":{"id":"s"}}`,
			`{"type":"survey.completed","created_at":"2026-11-22T00:33:18Z","data":{"id":"s"}}`,
		} {
			k := key(body)
			assert.NotContains(t, seen, k, body)
			seen[k] = body
		}
	})
	t.Run("is bounded", func(t *testing.T) {
		withID := func(id string) string { return key(`{"id":"` + id + `","type":"ping"}`) }
		longest := strings.Repeat("i", 128)
		assert.Equal(t, longest, withID(longest))
		assert.Regexp(t, "^[0-9a-f]{64}$", withID(longest+"i"))
		assert.NotEqual(t, withID(longest+"i"), withID(longest+"j"))
	})
}
