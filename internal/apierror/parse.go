// Package apierror reads the error answers of the services, and makes what they say fit to show.
package apierror

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Body is what an error body says. What it does not say is empty.
type Body struct {
	Type       string
	Message    string
	Field      string // the first of Fields
	Fields     []Field
	RequestID  string
	Validation bool // one of its messages is "Validation failed"
}

// Field is a field of the request that was refused.
type Field struct{ Name, Message string }

// Parse reads an error body, in any of the forms that the two services (and what stands before
// them) send:
//
//	{"error":{"type":…,"message":…,"field":…}}            ClickNPS
//	{"error":"…"}                                         ClickNPS, a server of one's own
//	{"statusCode":…,"message":"…"|["…"]|[{…}],"error":"…",
//	 "errors":[{"field":…,"message":…}]}                  SalesOS
//	a string, a list
//
// The strings are returned as the server sent them: see [Clean]. A body that is not JSON, or is
// larger than 1 MiB, is a zero Body. What is nested deeper than 100 levels is left out.
func Parse(body []byte) Body {
	var value any
	if len(body) > 1<<20 || json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &value) != nil {
		return Body{}
	}
	var b Body
	b.read(value, 100)
	if len(b.Fields) > 0 && b.Field == "" {
		b.Field = b.Fields[0].Name
	}
	if b.Field != "" && len(b.Fields) == 0 {
		b.Fields = []Field{{b.Field, b.Message}}
	}
	return b
}

func (b *Body) read(value any, depth int) {
	if depth == 0 {
		return
	}
	switch v := value.(type) {
	case string:
		b.addMessage(v)
	case []any:
		b.readList(v, depth-1)
	case map[string]any: // its own members first, and the messages in the order of their precedence
		b.Type = first(b.Type, v, "type")
		b.Field = first(b.Field, v, "field")
		b.RequestID = first(b.RequestID, v, "requestId", "request_id")
		for _, name := range []string{"message", "error", "errors", "detail", "title"} {
			b.read(v[name], depth-1)
		}
	}
}

// first returns value if it is not empty, else the first of the object's members that is a string
// and not empty.
func first(value string, o map[string]any, names ...string) string {
	for _, name := range names {
		if s, ok := o[name].(string); ok && value == "" {
			value = s
		}
	}
	return value
}

func (b *Body) readList(list []any, depth int) {
	var messages []string
	for _, item := range list {
		switch item := item.(type) {
		case string:
			messages = append(messages, item)
			if m := leadingField.FindStringSubmatch(item); m != nil {
				b.Fields = append(b.Fields, Field{m[1] + m[2], item})
			}
		case map[string]any:
			var one Body
			one.read(item, depth)
			name := first(one.Field, item, "property", "path", "param")
			if name != "" {
				b.Fields = append(b.Fields, Field{name, one.Message})
				one.Message = strings.TrimSpace(name + " " + one.Message)
			}
			messages = append(messages, one.Message)
		}
	}
	messages = slices.DeleteFunc(messages, func(message string) bool { return message == "" })
	b.addMessage(strings.Join(messages, "; "))
}

// addMessage keeps the first message that is not empty.
func (b *Body) addMessage(s string) {
	b.Validation = b.Validation || strings.EqualFold(s, "validation failed")
	if b.Message == "" {
		b.Message = s
	}
}

// leadingField finds the field that a message such as "email must be an email" or "property x
// should not exist" names.
var leadingField = regexp.MustCompile(
	`^\s*(?:property\s+(\S+)\s+\S|["']*(\S*?)["']*\s+(?:must|should|is|has|cannot|can't)(?:\s|$))`)
