package clicknps

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

type params interface{ validate() error }

// invalid returns the error of a parameter, named as on the wire.
func invalid(field, format string, args ...any) error {
	return paramError{field, fmt.Sprintf(format, args...)}
}

type paramError struct{ field, problem string }

func (e paramError) Error() string { return ErrInvalidParams.Error() }
func (e paramError) Unwrap() error { return ErrInvalidParams }

func valueOf[T any](params *T) T {
	if params == nil {
		var zero T
		return zero
	}
	return *params
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func required[S ~string](field, name string, value S) error {
	if value == "" {
		return invalid(field, "%s must not be empty", name)
	}
	return nil
}

// notEmptied refuses an empty value; nil leaves a field as it is.
func notEmptied[S ~string](field, name string, value *S) error {
	if value == nil {
		return nil
	}
	return required(field, name, *value)
}

func notNegative(field, name string, value int) error {
	if value < 0 {
		return invalid(field, "%s must not be negative", name)
	}
	return nil
}

func validText(field, name, value string) error {
	if !utf8.ValidString(value) {
		return invalid(field, "%s must be valid UTF-8", name)
	}
	return nil
}

func encodeBody(body any, extra []extraField) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	typed, isParams := body.(params)
	if isParams {
		if reflect.ValueOf(body).IsNil() {
			return nil, invalid("params", "params must not be nil")
		}
		if err := typed.validate(); err != nil {
			return nil, err
		}
	}
	data, err := marshal(body)
	if err == nil && len(extra) > 0 {
		data, err = addFields(data, extra)
	}
	switch {
	case err != nil:
		return nil, err
	case isParams && string(data) == "{}":
		return nil, invalid("params", "params change nothing: set a field")
	}
	return data, nil
}

// marshal refuses text that is not UTF-8, which [json.Marshal] would silently change.
func marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v) // first, for it finds cycles
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidParams, err)
	}
	return data, checkText(reflect.ValueOf(v), "body")
}

// checkText reports the first string in v that is not UTF-8, at any depth.
func checkText(v reflect.Value, path string) error {
	switch v.Kind() {
	case reflect.String:
		return validText(path, path, v.String())
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return checkText(v.Elem(), path)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			if raw, ok := v.Interface().(json.RawMessage); ok {
				return validText(path, path, string(raw))
			}
			return nil // base64
		}
		for i := range v.Len() {
			if err := checkText(v.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if err := first(checkText(key, path), checkText(v.MapIndex(key), fmt.Sprint(key))); err != nil {
				return err
			}
		}
	case reflect.Struct:
		return checkStruct(v, path)
	}
	return nil
}

func checkStruct(v reflect.Value, path string) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			name = path
		}
		if err := checkText(v.Field(i), name); err != nil {
			return err
		}
	}
	return nil
}

// WithExtraField adds a field that this SDK does not know to the JSON body.
func WithExtraField(name string, value any) RequestOption {
	return requestOption(func(o *requestOptions) error {
		if name == "" || !utf8.ValidString(name) {
			return invalid("name",
				"WithExtraField: the field's name must not be empty, and must be valid UTF-8")
		}
		o.extra = append(o.extra, extraField{name, value})
		o.given = append(o.given, parameter{"WithExtraField", name})
		return nil
	})
}

func addFields(data []byte, extra []extraField) ([]byte, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, invalid(extra[0].name, "WithExtraField: the body is not a JSON object")
	}
	for _, field := range extra {
		if _, ok := fields[field.name]; ok {
			return nil, invalid(field.name, "%s is set twice", field.name)
		}
		value, err := marshal(field.value)
		if err != nil {
			return nil, fmt.Errorf("WithExtraField: %s: %w", field.name, err)
		}
		fields[field.name] = value
	}
	return json.Marshal(fields)
}
