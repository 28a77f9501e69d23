package lenient

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// plan says how values of one Go type are decoded.
type plan struct {
	kind   reflect.Kind // Invalid: left to encoding/json
	fields []field      // of a struct
	absent bool         // whether one of them, or of theirs, has an absent value
}

type field struct {
	name   []byte
	index  []int
	plan   *plan
	absent []byte // the JSON that a missing or null value stands for; nil: none
}

var plans sync.Map // reflect.Type to *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{kind: t.Kind()}
	ptr := reflect.PointerTo(t)
	switch {
	case ptr.Implements(reflect.TypeFor[json.Unmarshaler]()),
		ptr.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()),
		t == reflect.TypeFor[json.Number](),
		p.kind == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		p.kind = reflect.Invalid
	case p.kind == reflect.Struct:
		p.addFields(t)
	}
	plans.Store(t, p)
	return p
}

// addFields finds the fields of a struct as encoding/json does. Those of embedded structs come
// after the struct's own, which win over them. A struct that embeds a pointer is left to
// encoding/json.
func (p *plan) addFields(t reflect.Type) {
	fields := slices.Collect(t.Fields())
	for i := 0; i < len(fields); i++ {
		f := fields[i]
		tag := f.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Pointer {
			p.kind = reflect.Invalid
			return
		}
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			for inner := range f.Type.Fields() {
				inner.Index = slices.Concat(f.Index, inner.Index)
				fields = append(fields, inner)
			}
			continue
		}
		name = cmp.Or(name, f.Name)
		if _, exact := p.find([]byte(name)); exact || !f.IsExported() || tag == "-" {
			continue
		}
		added := field{name: []byte(name), index: f.Index, plan: planOf(f.Type)}
		if absent := f.Tag.Get("absent"); absent != "" {
			added.absent = []byte(absent)
		} else if added.plan.absent {
			added.absent = []byte("{}")
		}
		p.absent = p.absent || added.absent != nil
		p.fields = append(p.fields, added)
	}
}

// find returns the index of the field with this name, or -1.
func (p *plan) find(name []byte) (index int, exact bool) {
	for i := range p.fields {
		if bytes.Equal(p.fields[i].name, name) {
			return i, true
		}
	}
	return slices.IndexFunc(p.fields, func(f field) bool { return bytes.EqualFold(f.name, name) }), false
}
