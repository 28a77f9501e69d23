// Package lenient decodes JSON as encoding/json does, and tolerates what servers often get wrong
// without harm.
package lenient

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// MaxDepth is how deep objects and lists may be nested. Deeper JSON is an error.
const MaxDepth = 100

var (
	errEmpty   = errors.New("the body is empty")
	errTooDeep = fmt.Errorf("the JSON is nested more than %d levels deep", MaxDepth)
	bom        = []byte("\xef\xbb\xbf")
)

// Unmarshal decodes one JSON value into v, a non-nil pointer. It reads what [json.Unmarshal]
// reads, and also:
//
//   - a byte order mark before the value;
//   - numbers and booleans in strings, whole numbers written as 9.0 or 9e0, 1 and 0 as booleans,
//     numbers and booleans as strings;
//   - times without a zone (UTC), with a space, without seconds, or as a date alone; Unix
//     seconds and, from 1e11 on, milliseconds. A time that can't be read is zero;
//   - inside the value, [] for a struct or map, and {} or "" for a slice.
//
// This does not hold inside maps, arrays, and structs that embed a pointer. The option "string" of
// a json tag is ignored, and null is zero.
//
// A field's exact name wins over one in another case. Of equal names the last one counts alone.
// A field with a struct tag such as absent:"-1" gets that value if it is missing or null.
//
// An error names the field that can't be read without loss, and has the error of encoding/json
// in its chain. After an error the content of v is undefined.
func Unmarshal(data []byte, v any) error {
	data = bytes.Trim(bytes.TrimPrefix(data, bom), " \t\r\n")
	if len(data) == 0 {
		return errEmpty
	}
	s, _ := scanner{}.scan(data)
	return s.unmarshal(data, v)
}

// Has reports whether the JSON object data has a field of exactly this name whose value is not
// null.
func Has(data []byte, name string) bool {
	var fields map[string]json.RawMessage
	err := json.Unmarshal(bytes.TrimPrefix(data, bom), &fields)
	return err == nil && fields[name] != nil && string(fields[name]) != "null"
}

// unmarshal is Unmarshal for a scanned value without white space around it.
func (s scanner) unmarshal(data []byte, v any) error {
	if err := s.check(data); err != nil {
		return err
	}
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return json.Unmarshal(data, v) // says what is wrong with v
	}
	err := planOf(target.Type().Elem()).decode(data, target.Elem())
	if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrongType.Field != "" {
		return fmt.Errorf("%s: %w", wrongType.Field, err)
	}
	return err
}

// decode decodes a value into v, which is of p's type.
func (p *plan) decode(data []byte, v reflect.Value) error {
	switch first := data[0]; {
	case p.kind == reflect.Struct && first == '{':
		return p.decodeStruct(data, v)
	case p.kind == reflect.Struct && first == 'n': // for the absent values
		return p.decodeStruct([]byte("{}"), v)
	case p.kind != reflect.Invalid && first == 'n':
		v.SetZero()
		return nil
	case p.kind == reflect.String && first != '{' && first != '[':
		v.SetString(text(data))
		return nil
	case p.kind == reflect.Slice && first == '[':
		return decodeSlice(data, v)
	case p.kind == reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return planOf(v.Type().Elem()).decodeInner(data, v.Elem())
	case p.kind != reflect.Invalid && decodeScalar(data, v):
		return nil
	}
	target := v.Addr().Interface()
	if t, ok := target.(*time.Time); ok {
		*t = parseTime(data)
		return nil
	}
	return json.Unmarshal(data, target)
}

// decodeInner is decode for what stands in another value, where [], {} and "" may mean nothing.
func (p *plan) decodeInner(data []byte, v reflect.Value) error {
	switch nests := p.kind == reflect.Struct || p.kind == reflect.Map; {
	case nests && isEmpty(data, '['):
		data = []byte("{}")
	case p.kind == reflect.Slice && (isEmpty(data, '{') || string(data) == `""`):
		data = []byte("[]")
	}
	return p.decode(data, v)
}

func (p *plan) decodeStruct(data []byte, v reflect.Value) error {
	type member struct {
		value []byte
		exact bool // the name
	}
	var few [16]member
	members := append(few[:0], make([]member, len(p.fields))...) // the one that counts for each field
	for name, value := range elements(data) {
		i, exact := p.find(name)
		if i >= 0 && (exact || !members[i].exact) {
			members[i] = member{value, exact}
		}
	}
	for i := range p.fields {
		f, value := &p.fields[i], members[i].value
		if f.absent != nil && (value == nil || value[0] == 'n') {
			value = f.absent
		}
		if value == nil {
			continue
		}
		if err := f.plan.decodeInner(value, v.FieldByIndex(f.index)); err != nil {
			if wrongType, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
				wrongType.Struct = cmp.Or(wrongType.Struct, v.Type().Name())
				wrongType.Field = strings.TrimSuffix(string(f.name)+"."+wrongType.Field, ".")
			}
			return err
		}
	}
	return nil
}

func decodeSlice(data []byte, v reflect.Value) error {
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	p := planOf(v.Type().Elem())
	for _, value := range elements(data) {
		n := v.Len()
		v.Grow(1)
		v.SetLen(n + 1)
		if err := p.decodeInner(value, v.Index(n)); err != nil {
			return err
		}
	}
	return nil
}
