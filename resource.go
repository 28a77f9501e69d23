package clicknps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/clicknps/go-sdk/internal/apierror"
	"github.com/clicknps/go-sdk/internal/engine"
	"github.com/clicknps/go-sdk/internal/lenient"
)

// WithRawJSON fills in the RawJSON of resources: their JSON as received, with unknown fields.
func WithRawJSON() SharedOption {
	return sharedOption(func(s *callSettings) error {
		s.rawJSON = true
		return nil
	})
}

func rawField(raw json.RawMessage, keep bool) json.RawMessage {
	if !keep {
		return nil
	}
	return bytes.Clone(raw)
}

type resource[T any] interface {
	*T
	// parts returns the id, or nil if the resource needs none, and the field that keeps the JSON.
	parts() (id *string, raw *json.RawMessage)
}

func fetch[T any, P resource[T]](ctx context.Context, s *service, c call, opts []RequestOption) (*T, error) {
	v, o := new(T), s.options(opts)
	err := s.do(ctx, c, o, func(res *engine.Result) error {
		return undecodable(decode[T, P](res, v, o.rawJSON))
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

func undecodable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the answer can't be decoded: %w", err)
}

// decode decodes a T, or an envelope with a T in its data.
func decode[T any, P resource[T]](res *engine.Result, v *T, keepJSON bool) error {
	data := res.Body
	err := decodeItem[T, P](data, v, keepJSON)
	if err == nil {
		return nil
	}
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if lenient.Unmarshal(data, &envelope) == nil && len(envelope.Data) > 0 && envelope.Data[0] == '{' {
		*v = *new(T)
		return decodeItem[T, P](envelope.Data, v, keepJSON)
	}
	return err
}

func decodeItem[T any, P resource[T]](data []byte, v *T, keepJSON bool) error {
	if err := lenient.Unmarshal(data, v); err != nil {
		return err
	}
	return accept[T, P](data, v, keepJSON)
}

// accept refuses a value without an id, or, if it needs none, without any field that we know.
func accept[T any, P resource[T]](data []byte, v *T, keepJSON bool) error {
	id, raw := P(v).parts()
	switch {
	case id != nil && *id == "":
		return errors.New("id is missing")
	case id == nil && !hasAnyField(reflect.TypeFor[T](), data):
		return errors.New("none of the expected fields is there")
	}
	if keepJSON {
		*raw = bytes.Clone(bytes.TrimSpace(data))
	}
	return nil
}

func hasAnyField(t reflect.Type, data []byte) bool {
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" && lenient.Has(data, name) {
			return true
		}
	}
	return false
}

// check refuses an answer that is HTML or reports a failure with status 200.
func check(res *engine.Result) error {
	if apierror.IsHTML(res.Header.Get("Content-Type"), res.Body) {
		return errHTML
	}
	return checkObject(res.Body)
}

// checkObject returns an error if a JSON object says that the call failed.
func checkObject(body []byte) error {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(body, &fields) // what is no object says nothing
	return checkFields(func(name string) json.RawMessage { return fields[name] })
}

// checkFields is checkObject for an object whose fields the function returns.
func checkFields(field func(name string) json.RawMessage) error {
	status, deleted, success := 0, true, true
	_ = json.Unmarshal(field("statusCode"), &status) // what can't be read says nothing
	_ = json.Unmarshal(field("deleted"), &deleted)
	_ = json.Unmarshal(field("success"), &success)
	said := string(field("error"))
	if said != "" && said != "null" && said != "false" || status >= 400 || !deleted || !success {
		return errors.New("the answer's body says that the call failed")
	}
	return nil
}

var errHTML = errors.New("it is a page of HTML")

func (s *service) remove(ctx context.Context, c call, opts []RequestOption) error {
	c.method = http.MethodDelete
	return s.do(ctx, c, s.options(opts), check)
}
