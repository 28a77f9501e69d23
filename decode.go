package clicknps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// resource is a value that the server sends.
type resource[T any] interface {
	*T
	setOrigin(*document, int)
	identity() string // its id; known is what a resource without an id answers when it is there
}

// known is the identity of a resource that has no id.
const known = "-"

// fetch makes a call whose answer is one T.
func fetch[T any, P resource[T]](ctx context.Context, s *service, c call, opts []RequestOption) (*T, error) {
	o := newRequestOptions(opts)
	res, err := s.do(ctx, c, o)
	if err != nil {
		return nil, err
	}
	v, err := decode[T, P](res.Body)
	if err != nil {
		return nil, s.undecodable(c, o, res, err)
	}
	return v, nil
}

// decoded is a value together with what it was decoded from.
type decoded[T any] struct {
	value    T
	document document
}

var bom = []byte("\xef\xbb\xbf")

func decode[T any, P resource[T]](data []byte) (*T, error) {
	data = bytes.TrimPrefix(data, bom)
	d := &decoded[T]{document: document{json: data}}
	v := &d.value
	if err := unmarshal(data, v); err != nil {
		return nil, err
	}
	if err := checkPresent[T, P](v, data); err != nil {
		var envelope struct {
			Data json.RawMessage `json:"data"`
		}
		if json.Unmarshal(data, &envelope) != nil || len(envelope.Data) == 0 || envelope.Data[0] != '{' {
			return nil, err
		}
		return decode[T, P](envelope.Data)
	}
	P(v).setOrigin(&d.document, -1)
	return v, nil
}

// checkPresent refuses an answer without what the call is for: an id, or for what has none, any field that we know.
func checkPresent[T any, P resource[T]](v *T, data []byte) error {
	switch id := P(v).identity(); {
	case id == "":
		return errors.New("id is missing")
	case id != known || !reflect.ValueOf(v).Elem().IsZero():
		return nil
	}
	return checkAnyField(reflect.TypeFor[T](), data)
}

// checkAnyField refuses an object without any of t's fields.
func checkAnyField(t reflect.Type, data []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && fields[name] != nil {
			return nil
		}
	}
	return errors.New("none of the expected fields is there")
}

// complete gives the items of a decoded list their origin, and refuses one that is not there.
func complete[T any, P resource[T]](items []T, list []byte) error {
	d := &document{json: list}
	for i := range items {
		item := P(&items[i])
		if id := item.identity(); id == "" || id == known {
			var raw origin
			raw.setOrigin(d, i)
			if err := checkPresent[T, P](&items[i], raw.RawJSON()); err != nil {
				return fmt.Errorf("item %d: %w", i, err)
			}
		}
		item.setOrigin(d, i)
	}
	return nil
}

// unmarshal decodes data strictly, and if a field is not of its type, once more after bringing it to that type.
// The usual answer pays nothing for the unusual one.
func unmarshal(data []byte, v any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("the body is empty")
	}
	err := json.Unmarshal(data, v)
	if _, malformed := errors.AsType[*json.SyntaxError](err); malformed || err == nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return err
	}
	coerced, marshalErr := json.Marshal(coerce(value, reflect.TypeOf(v).Elem()))
	if marshalErr != nil {
		return err
	}
	reflect.ValueOf(v).Elem().SetZero()
	if json.Unmarshal(coerced, v) != nil {
		return err
	}
	return nil
}

// coerce brings a decoded value to what t wants, where the meaning is plain: numbers, booleans and times in strings,
// numbers where a string is wanted, whole numbers with a fraction. What it can't bring there it leaves as it is.
func coerce(value any, t reflect.Type) any {
	if t == reflect.TypeFor[time.Time]() {
		return coerceTime(value)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return coerce(value, t.Elem())
	case reflect.Struct:
		if object, ok := value.(map[string]any); ok {
			coerceFields(object, t)
		}
	case reflect.Slice:
		if list, ok := value.([]any); ok {
			for i := range list {
				list[i] = coerce(list[i], t.Elem())
			}
		}
	case reflect.Map:
		if object, ok := value.(map[string]any); ok {
			for name := range object {
				object[name] = coerce(object[name], t.Elem())
			}
		}
	case reflect.Int, reflect.Float64:
		return coerceNumber(value, t.Kind())
	case reflect.Bool:
		if s, ok := value.(string); ok {
			if b, err := strconv.ParseBool(s); err == nil {
				return b
			}
		}
	case reflect.String:
		if n, ok := value.(json.Number); ok {
			return n.String()
		}
	}
	return value
}

func coerceFields(object map[string]any, t reflect.Type) {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if field, ok := object[name]; ok {
			object[name] = coerce(field, f.Type)
		}
	}
}

func coerceNumber(value any, kind reflect.Kind) any {
	text := ""
	switch v := value.(type) {
	case string:
		text = strings.TrimSpace(v)
	case json.Number:
		text = v.String()
	default:
		return value
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return value
	}
	if kind == reflect.Int && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f)
	}
	return f
}

// coerceTime takes ISO 8601 without a zone (UTC is meant) or time, and unix seconds or milliseconds. An empty string is an absent time.
func coerceTime(value any) any {
	switch v := value.(type) {
	case string:
		if strings.TrimSpace(v) == "" {
			return nil
		}
		for _, layout := range []string{"2006-01-02T15:04:05.999999999", time.DateTime, "2006-01-02 15:04:05Z07:00", time.DateOnly, "2006-01-02T15:04:05.999999999Z0700"} {
			if t, err := time.Parse(layout, v); err == nil {
				return t
			}
		}
	case json.Number:
		n, err := v.Float64()
		switch {
		case err != nil || math.Abs(n) > 1<<53:
		case n >= 1e11: // as seconds that would be after the year 5000
			return time.UnixMilli(int64(n)).UTC()
		default:
			return time.Unix(int64(n), 0).UTC()
		}
	}
	return value
}
