package clicknps_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	clicknps "github.com/clicknps/go-sdk"
)

// goldens are the golden bodies whose names match a pattern.
func goldens(f *testing.F, pattern string) (bodies []string) {
	names, err := filepath.Glob(filepath.Join("testdata", "wire", pattern))
	require.NoError(f, err)
	require.NotEmpty(f, names)
	for _, name := range names {
		body, err := os.ReadFile(name)
		require.NoError(f, err)
		bodies = append(bodies, string(body))
	}
	return bodies
}

// Whatever a server answers, it is an *Error that says so.
func FuzzErrorBody(f *testing.F) {
	for i, body := range goldens(f, "*error*.json") {
		f.Add(uint16(100+i), "application/json; charset=utf-8", body)
	}
	for _, body := range []string{
		"", "null", "[]", `"no"`, `["a must be b",{"property":"x","message":["y"]},{"errors":{"detail":"z"}}]`, "<html>\xff</html>", "\ufeff{}",
		`{"message":{"message":{"error":["deep"]}}}`, `{"error":{"type":"validation_error","field":"name"}}`, strings.Repeat("[", 500),
	} {
		f.Add(uint16(202), "text/html", body)
		f.Add(uint16(129), "", body)
	}
	f.Fuzz(func(t *testing.T, status uint16, contentType, body string) {
		code := 300 + int(status)%700
		client := answering(t, code, body, "Content-Type", contentType)
		_, get := client.Surveys.Get(t.Context(), "s")
		_, post := client.SalesOS.NPS.Toggle(t.Context(), "s")
		for _, err := range []error{get, post} {
			e := asError(t, err)
			assert.Equal(t, code, e.StatusCode)
			assert.Equal(t, body[:min(len(body), 64<<10)], string(e.Body))
			assert.NotEmpty(t, e.Error())
			assert.NotContains(t, printed(t, e)["json"], `"Body"`)
			if len(e.Fields) > 0 {
				assert.Equal(t, e.Fields[0].Field, e.Field)
			}
		}
	})
}

// A list decodes to items that are there, or is an error.
func FuzzListEnvelope(f *testing.F) {
	item := `{"id":"a","score":"9","createdAt":1736937000,"isActive":"true"}`
	for _, body := range append(goldens(f, "salesos_*.json"),
		"[]", "null", "{}", "["+item+"]", "[null]", "[{}]", `{"data":[`+item+`],"pagination":{"total":"1","has_more":true}}`,
		`{"data":{"items":[`+item+`]},"metrics":{"npsScore":"1"}}`, `{"data":{"data":{"data":[]}}}`, `{"data":null,"results":[`+item+`,7]}`,
		`{"surveys":{"responses":[`+item+`]},"data":false}`, `{"data":[`+item+`],"data":[]}`, "\ufeff["+item+"]", `[{"id":"a"},{"ID":"b"},{"id":null,"Id":"c"}]`,
	) {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		client := newWire(reply(200, string(body))).client(t, clicknps.WithRawJSON())
		if page, err := client.Surveys.List(t.Context(), nil); err != nil {
			asError(t, err)
		} else {
			for _, survey := range page.Data {
				assert.NotEmpty(t, survey.ID)
				assertObject(t, survey.RawJSON)
			}
		}
		if surveys, err := client.SalesOS.NPS.List(t.Context(), nil); err != nil {
			asError(t, err)
		} else {
			for _, survey := range surveys.Data {
				assert.NotEmpty(t, survey.ID)
				assertObject(t, survey.RawJSON)
			}
		}
		if responses, err := client.SalesOS.NPS.Responses(t.Context(), "s", nil); err != nil {
			asError(t, err)
		} else {
			assert.True(t, json.Valid(bytes.TrimPrefix(responses.RawJSON, []byte("\ufeff"))))
			for _, response := range responses.Data {
				assertObject(t, response.RawJSON)
			}
		}
	})
}

// assertObject checks that a resource comes from a JSON object with something in it.
func assertObject(t *testing.T, raw json.RawMessage) {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &fields))
	assert.NotEmpty(t, fields)
}
