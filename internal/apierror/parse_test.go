package apierror_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clicknps/go-sdk/internal/apierror"
)

type (
	body   = apierror.Body
	fields = []apierror.Field
)

func TestParse(t *testing.T) {
	t.Parallel()
	email := fields{{Name: "email", Message: "must be a valid email"}}
	for _, tt := range []struct {
		name, body string
		want       body
	}{
		{
			"ClickNPS", `{"error":{"type":"plan_exceeded","message":"Upgrade","docs":"https://x"}}`,
			body{Type: "plan_exceeded", Message: "Upgrade"},
		},
		{
			"ClickNPS with a field",
			`{"error":{"type":"validation_error","message":"Invalid survey name","field":"name"}}`,
			body{
				Type: "validation_error", Message: "Invalid survey name", Field: "name",
				Fields: fields{{"name", "Invalid survey name"}},
			},
		},
		{
			"a string in error", `{"error":"Invalid or missing API key"}`,
			body{Message: "Invalid or missing API key"},
		},
		{
			"SalesOS", `{"statusCode":400,"message":"Bad Request","error":"Validation failed"}`,
			body{Message: "Bad Request", Validation: true},
		},
		{
			"message and error differ", `{"error":"Not Found","message":"no such survey"}`,
			body{Message: "no such survey"},
		},
		{"an empty message", `{"message":"","error":"Not Found"}`, body{Message: "Not Found"}},
		{
			"SalesOS list of strings",
			`{"message":["email must be an email","firstName should not be empty"],"error":"Bad Request"}`,
			body{
				Message: "email must be an email; firstName should not be empty", Field: "email",
				Fields: fields{
					{"email", "email must be an email"}, {"firstName", "firstName should not be empty"},
				},
			},
		},
		{
			"SalesOS unknown field", `{"message":["property x should not exist"],"error":"Bad Request"}`,
			body{
				Message: "property x should not exist", Field: "x",
				Fields: fields{{"x", "property x should not exist"}},
			},
		},
		{
			"SalesOS list of objects",
			`{"message":"Validation failed","errors":[{"field":"email","message":"must be a valid email"}]}`,
			body{Message: "Validation failed", Field: "email", Fields: email, Validation: true},
		},
		{
			"list of objects as the message",
			`{"message":[{"property":"email","message":"must be a valid email"},{"message":"and more"}]}`,
			body{Message: "email must be a valid email; and more", Field: "email", Fields: email},
		},
		{
			"path", `[{"path":"email","message":"must be a valid email"}]`,
			body{Message: "email must be a valid email", Field: "email", Fields: email},
		},
		{
			"param", `[{"param":"email","message":"must be a valid email"}]`,
			body{Message: "email must be a valid email", Field: "email", Fields: email},
		},
		{
			"field before path", `[{"path":"p","field":"f"}]`,
			body{Message: "f", Field: "f", Fields: fields{{"f", ""}}},
		},
		{
			"field of its own", `{"field":"a","errors":[{"field":"b","message":"c"}]}`,
			body{Message: "b c", Field: "a", Fields: fields{{"b", "c"}}},
		},
		{
			"problem details", `{"type":"about:blank","title":"Forbidden","detail":"Not yours"}`,
			body{Type: "about:blank", Message: "Not yours"},
		},
		{"a title only", `{"title":"Forbidden"}`, body{Message: "Forbidden"}},
		{
			"requestId", `{"message":"no","requestId":"r1","request_id":"r2"}`,
			body{Message: "no", RequestID: "r1"},
		},
		{"request_id", `{"error":{"message":"no","request_id":"r2"}}`, body{Message: "no", RequestID: "r2"}},
		{
			"the outer request id", `{"error":{"requestId":"inner"},"requestId":"outer"}`,
			body{RequestID: "outer"},
		},
		{
			"in any case", `{"error":"VALIDATION Failed"}`,
			body{Message: "VALIDATION Failed", Validation: true},
		},
		{"a string", `"no"`, body{Message: "no"}},
		{"a list of strings", `["no","never"]`, body{Message: "no; never"}},
		{"a byte order mark", "\ufeff" + `{"error":"no"}`, body{Message: "no"}},
		{"as sent", `"a\n\u001b[31m\u202eb"`, body{Message: "a\n\x1b[31m\u202eb"}},
		{
			"the wrong types",
			`{"error":{"type":1,"message":2,"field":[3]},"message":null,"errors":7,"requestId":4}`,
			body{},
		},
		{"lists of nothing", `{"message":[{},{},null,3,""],"errors":[]}`, body{}},
		{"null", `null`, body{}},
		{"an empty object", `{}`, body{}},
		{"nothing", ``, body{}},
		{"HTML", `<html>down</html>`, body{}},
		{"cut off", `{"error":{"message":"no su`, body{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, apierror.Parse([]byte(tt.body)))
		})
	}
}

func TestParseFindsTheFieldThatAMessageBeginsWith(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"email must be an email": "email", "age should be 7": "age", "it is bad": "it", "x has no y": "x",
		"a cannot be b": "a", "a can't be b": "a", `"name" is required`: "name",
		"'name' is required": "name", "x must": "x",
		"property a.b should not exist": "a.b", "property x": "", "property must be set": "must",
		"Bad Request": "", "": "", "must": "",
	} {
		list := `["` + strings.ReplaceAll(message, `"`, `\"`) + `"]`
		assert.Equal(t, want, apierror.Parse([]byte(list)).Field, message)
	}
}

func TestParseIsBounded(t *testing.T) {
	t.Parallel()
	nested := func(depth int) []byte {
		return []byte(strings.Repeat(`{"error":`, depth) + `"deep"` + strings.Repeat("}", depth))
	}
	assert.Equal(t, "deep", apierror.Parse(nested(99)).Message)
	assert.Empty(t, apierror.Parse(nested(100)).Message)
	lists := func(depth int) []byte {
		return []byte(strings.Repeat(`[{"errors":`, depth) + `"deep"` + strings.Repeat("}]", depth))
	}
	assert.Equal(t, "deep", apierror.Parse(lists(49)).Message)
	assert.Empty(t, apierror.Parse(lists(50)).Message)

	start := time.Now()
	for _, deep := range [][]byte{nested(1000), nested(5000), nested(1 << 16), lists(4000)} {
		assert.Equal(t, body{}, apierror.Parse(deep))
	}
	large := func(size int) []byte { return []byte(`"` + strings.Repeat("x", size-2) + `"`) }
	assert.Len(t, apierror.Parse(large(1<<20)).Message, 1<<20-2)
	assert.Empty(t, apierror.Parse(large(1<<20+1)).Message)
	assert.Less(t, time.Since(start), 5*time.Second)
}
