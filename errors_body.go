package clicknps

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// readBody fills in what an error's body says, in any of the shapes that the two services (and what stands before them) send:
//
//	{"error":{"type":…,"message":…,"field":…}}            ClickNPS
//	{"error":"…"}                                         ClickNPS, a server of one's own
//	{"statusCode":…,"message":"…"|["…"]|[{…}],"error":"…","errors":[{"field":…,"message":…}]}   SalesOS
//	a string, a list, a page of HTML, nothing
func (e *Error) readBody() {
	var body any
	if json.Unmarshal(bytes.TrimPrefix(e.Body, bom), &body) != nil {
		return
	}
	e.readValue(body)
	if len(e.Fields) > 0 && e.Field == "" {
		e.Field = e.Fields[0].Field
	}
	if e.Field != "" && len(e.Fields) == 0 {
		e.Fields = []FieldError{{e.Field, e.Message}}
	}
}

func (e *Error) readValue(v any) {
	switch v := v.(type) {
	case string:
		e.setMessage(v)
	case []any:
		e.readList(v)
	case map[string]any:
		e.readObject(v)
	}
}

func (e *Error) readObject(o map[string]any) {
	if t, ok := o["type"].(string); ok && e.Type == "" {
		e.Type = ErrorType(t)
	}
	if field, ok := o["field"].(string); ok && e.Field == "" {
		e.Field = field
	}
	// Nearest to the cause first: setMessage keeps the first it is told.
	for _, name := range []string{"message", "error", "errors", "detail", "title"} {
		e.readValue(o[name])
	}
}

func (e *Error) readList(list []any) {
	var words []string
	for _, item := range list {
		switch item := item.(type) {
		case string:
			words = append(words, item)
			// "email must be an email", "property x should not exist": the field is named first.
			if field, ok := leadingField(item); ok {
				e.Fields = append(e.Fields, FieldError{field, item})
			}
		case map[string]any:
			var one Error
			one.readObject(item)
			for _, name := range []string{"property", "path", "param"} {
				if s, ok := item[name].(string); ok && one.Field == "" {
					one.Field = s
				}
			}
			if one.Field != "" {
				e.Fields = append(e.Fields, FieldError{one.Field, one.Message})
				one.Message = strings.TrimSpace(one.Field + " " + one.Message)
			}
			words = append(words, one.Message)
		}
	}
	words = slices.DeleteFunc(words, func(word string) bool { return word == "" })
	e.setMessage(strings.Join(words, "; "))
}

func (e *Error) setMessage(s string) {
	e.validation = e.validation || strings.EqualFold(s, "validation failed")
	if e.Message == "" {
		e.Message = s
	}
}

func leadingField(message string) (string, bool) {
	words := strings.Fields(message)
	if len(words) > 2 && words[0] == "property" {
		return words[1], true
	}
	verb := len(words) > 1 && slices.Contains([]string{"must", "should", "is", "has", "cannot", "can't"}, words[1])
	return strings.Trim(strings.Join(words[:min(1, len(words))], ""), `"'`), verb
}

const excerptLength = 120

// excerpt is the content type and the first bytes of an answer that is not understood.
func excerpt(header http.Header, body string) string {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = "no content type"
	}
	if len(body) == 0 {
		return kind + ", empty body"
	}
	text := body[:min(len(body), excerptLength)]
	text = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if len(body) > excerptLength {
		text += "…"
	}
	return kind + " " + strconv.Quote(text)
}
