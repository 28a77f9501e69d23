package lenient

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

type base struct {
	ID    string `json:"id"`
	Score int    `json:"score" absent:"-1"`
	Name  string
}

type lower struct{ Inner int }

type embedding struct {
	base
	lower
	Name  int
	Other base `json:"other"`
}

func TestEmbeddedStructs(t *testing.T) {
	v := decoded[embedding](t, `{"id":4,"name":"5","other":{"id":6,"score":"7"}}`)
	assert.Equal(t, embedding{base: base{ID: "4", Score: -1}, Name: 5, Other: base{ID: "6", Score: 7}}, v)
	type exported struct{ *Metrics } // left to encoding/json
	assert.Equal(t, &Metrics{Total: 3}, decoded[exported](t, `{"total":3}`).Metrics)
	assert.Equal(t, Loop{Total: 3}, decoded[Loop](t, `{"Total":3}`))
	refused[exported](t, `{"total":"3"}`)
	type named struct {
		Metrics `json:"m"` // a field like others
		*Loop   `json:"l"`
	}
	assert.Equal(t, named{Metrics{Total: 3}, &Loop{Total: 4}},
		decoded[named](t, `{"total":1,"m":{"total":"3"},"l":{"total":4}}`))
}

type Metrics struct {
	Total int `json:"total"`
}

// Loop embeds itself.
type Loop struct {
	*Loop
	Total int
}

func TestFieldsOfEncodingJSON(t *testing.T) {
	type options struct {
		Quoted  int `json:",string"`
		Quoted2 int `json:"q,omitempty,string"`
		Skipped int `json:"-"`
		hidden  int
		Bytes   []byte
		Number  json.Number
		Raw     json.RawMessage
		When    Stamp
		Text    Text
		Pointer **int
		Default int `absent:"3" json:",omitempty"`
	}
	v := decoded[options](t, `{"quoted":"4","q":"5","-":"6","Skipped":"x","hidden":"x","bytes":"AQI=","number":"1.5",`+
		`"raw":{"a": "1"},"when":"2025-01-15T10:30:00Z","text":"x","pointer":"7"}`)
	seven := new(7)
	assert.Equal(t, options{
		Quoted: 4, Quoted2: 5, Bytes: []byte{1, 2}, Number: "1.5", Raw: json.RawMessage(`{"a": "1"}`),
		When: Stamp{time.Date(2025, 1, 15, 10, 30, 0, 0, time.UTC)}, Text: "text x", Pointer: &seven, Default: 3,
	}, v)
	assert.Zero(t, v.hidden)
	assert.Equal(t, 4, decoded[options](t, `{"quoted":4}`).Quoted)
	refused[options](t, `{"text":4}`)
	refused[options](t, `{"when":4}`)
}

// Stamp reads itself by what it embeds.
type Stamp struct{ time.Time }

type Text string

func (s *Text) UnmarshalText(data []byte) error {
	*s = Text("text " + string(data))
	return nil
}

func TestPlansAreMadeOnce(t *testing.T) {
	assert.Same(t, planOf(reflect.TypeFor[record]()), planOf(reflect.TypeFor[record]()))
}

func TestManyFields(t *testing.T) {
	type many struct {
		A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R int
		S                                                    int `absent:"-1"`
	}
	assert.Equal(t, many{A: 1, R: 2, S: -1}, decoded[many](t, `{"a":"1","R":"2","r":3,"q":"0"}`))
	assert.Equal(t, many{A: 1, P: 2, S: -1}, decoded[many](t, `{"P":"2","a":0,"A":"1"}`))
	assert.Equal(t, many{S: 4}, decoded[many](t, `{"S":4}`))
}
