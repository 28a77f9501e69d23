package lenient

import (
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUnmarshalValue(t *testing.T) {
	const usual = `{"id":"a","score":9,"count":2,"mean":1.5,"active":true,"at":"2025-01-15T10:30:00Z","nested":{"total":3},` +
		`"pointer":4,"tags":["x","y"],"links":{"0":"z"},"list":[{"id":"b","score":1}],"own":"w","any":{"k":[1]},"-":"no"}`
	want := record{
		ID: "a", Score: 9, Count: 2, Mean: 1.5, Active: true, At: time.Date(2025, 1, 15, 10, 30, 0, 0, time.UTC),
		Nested: metrics{Total: 3}, Pointer: new(4), Tags: []string{"x", "y"}, Links: map[string]string{"0": "z"},
		List: []item{{ID: "b", Score: 1}}, Own: `own "w"`, Any: map[string]any{"k": []any{1.0}},
	}
	assert.Equal(t, want, decoded[record](t, usual))
	assert.Equal(t, want, decoded[record](t, "\xef\xbb\xbf \t\r\n"+usual+" \t\r\n"))
	assert.Equal(t, want.List, decoded[record](t, `{ "list" : [ { "id" : "b" , "score" : "1" } ] }`).List)
	odd := strings.NewReplacer(`9`, `"9"`, `1.5`, `"1.5"`, `true`, `1`, `{"total":3}`, `{"total":3.0}`, `4`, `"4"`).Replace(usual)
	assert.Equal(t, want, decoded[record](t, odd))
	assert.Equal(t, want, decoded[record](t, strings.Replace(usual, `"id"`, `"unknown":{"id":[{"score":"x"}]},"id"`, 1)))
}

func TestUnmarshalRefuses(t *testing.T) {
	for _, data := range []string{"", " ", "\n\t\r ", "\xef\xbb\xbf", "\xef\xbb\xbf "} {
		assert.EqualError(t, refused[record](t, data), "the body is empty")
	}
	for _, data := range []string{
		`{`, `{"id"`, `{"id":`, `{"id":"a`, `{"id":"a\"`, `{"id":"a"`, `{"id":"a",`, `{"id":"a",}`, `{"id" "a"}`, `{"id":"a"}}`,
		`{"id":"a"} x`, `{"id":"a"}{"id":"b"}`, `{"id":'a'}`, `{id:"a"}`, `{"score":01}`, `{"score":9.}`, `{"score":NaN}`,
		`{"active":tru}`, `{"id":tru}`, `{"id":nul}`, `{"score":nul}`, `{"score":"9","id":}`, `{"tags":[}`, `{"tags":["a"`,
		`{"tags":["a",]}`, `{"list":[0,`, `{"list":[0}`, `{"list":[0 1]}`, `{"score":"9"]`, `{"score":"9"`, `<html>`, `]`, `,`, `:`,
		`{"tags":{]}`, `{"at":2025-01}`, "{\"id\":\"a\x01\"}", `{"score":"9","id":"\x"}`, `{"\x":1}`, `{"score":"\x"}`, `{"":"9"`,
	} {
		_, ok := errors.AsType[*json.SyntaxError](refused[record](t, data))
		assert.True(t, ok, data)
	}
	for _, data := range []string{`[]`, `[{"id":"a"}]`, `"a"`, `9`, `true`, `""`} {
		_, ok := errors.AsType[*json.UnmarshalTypeError](refused[record](t, data))
		assert.True(t, ok, data)
	}
	for _, data := range []string{`{}`, `""`, `{"data":[]}`} {
		refused[[]item](t, data)
	}
	assert.ErrorIs(t, refused[record](t, `{"own":1}`), errOwn)
	requireField(t, refused[record](t, `{"nested":{"total":"x"}}`), "nested.total")
	var invalid *json.InvalidUnmarshalError
	assert.ErrorAs(t, Unmarshal([]byte(`{}`), nil), &invalid)
	assert.ErrorAs(t, Unmarshal([]byte(`{}`), record{}), &invalid)
	assert.ErrorAs(t, Unmarshal([]byte(`{}`), (*record)(nil)), &invalid)
}

func TestNameInAnotherCase(t *testing.T) {
	for data, want := range map[string]string{
		`{"ID":4711,"id":"r1"}`:                "r1",
		`{"id":"r1","ID":4711}`:                "r1",
		`{"ID":{"a":1},"id":"r1"}`:             "r1",
		`{"id":"r1","ID":[1]}`:                 "r1",
		`{"ID":"r1"}`:                          "r1",
		`{"Id":"r0","ID":"r1"}`:                "r1",
		`{"Id":"r0","id":"r1","iD":"r2"}`:      "r1",
		`{"id":"r0","Id":"r2","id":"r1"}`:      "r1",
		`{"id":"r0","id":"r1"}`:                "r1",
		`{"id":"r0","\u0069d":"r1"}`:           "r1",
		`{"\u0069d":"r1","ID":"r2"}`:           "r1",
		`{"score":1,"id":"r1","unknown":"r2"}`: "r1",
	} {
		assert.Equal(t, want, decoded[record](t, data).ID, data)
	}
	assert.Equal(t, 9, decoded[record](t, `{"SCORE":3,"score":9}`).Score)
	assert.Equal(t, 9, decoded[record](t, `{"score":9,"SCORE":3}`).Score)
	assert.Equal(t, 9, decoded[record](t, `{"SCORE":"x","score":9}`).Score)
	assert.Equal(t, 3, decoded[record](t, `{"SCORE":"3"}`).Score)
	assert.Equal(t, -1, decoded[record](t, `{"SCORE":3,"score":null}`).Score)
	assert.Equal(t, map[string]string{"a": "1", "A": "2"}, decoded[record](t, `{"links":{"a":"1","A":"2"}}`).Links)
}

func TestEqualNames(t *testing.T) {
	type page struct {
		Data   []record
		Nested *metrics
	}
	v := decoded[page](t, `{"data":[{"id":"a","mean":7,"list":[{"id":"x"}]}],"data":[{"id":"b"},{"id":"c"}]}`)
	assert.Equal(t, []record{{ID: "b", Score: -1, Nested: metrics{}}, {ID: "c", Score: -1}}, v.Data)
	v = decoded[page](t, `{"data":[{"id":"a"}],"data":null,"nested":{"total":1},"nested":{"mean":2}}`)
	assert.Nil(t, v.Data)
	assert.Equal(t, &metrics{Mean: 2}, v.Nested)
	assert.Equal(t, metrics{Mean: 2}, decoded[record](t, `{"nested":{"total":1},"nested":{"mean":2}}`).Nested)
	assert.Equal(t, metrics{Mean: 2}, decoded[record](t, `{"nested":0,"nested":{"mean":2}}`).Nested)
	assert.Equal(t, map[string]item{"a": {ID: "y"}},
		decoded[map[string]item](t, `{"a":{"id":"x","score":3},"a":{"id":"y"}}`))
}

func TestAbsent(t *testing.T) {
	for _, data := range []string{`{}`, `{ }`, `{"id":"a"}`, `{"id":"a" }`, `{"score":null}`, `{"score": null ,"id":"a"}`, `null`} {
		assert.Equal(t, -1, decoded[item](t, data).Score, data)
	}
	assert.Equal(t, 0, decoded[item](t, `{"score":0}`).Score)
	type outer struct {
		One     item
		Pointer *item
		Many    []item
		Other   int
		Two     *int `absent:"2"`
		All     struct {
			N int `absent:"3"`
		}
	}
	none := item{Score: -1}
	empty := outer{One: none, Two: new(2)}
	empty.All.N = 3
	for _, data := range []string{`{}`, `{"one":{}}`, `{"one":null}`, `{"one":[]}`, `{"pointer":null,"two":null,"many":null}`} {
		assert.Equal(t, empty, decoded[outer](t, data), data)
	}
	v := decoded[outer](t, `{"pointer":{},"many":[{},null,{"id":"a"},{"score":3},[]],"other":1}`)
	assert.Equal(t, outer{
		One: none, Pointer: &none, Many: []item{none, none, {ID: "a", Score: -1}, {Score: 3}, none},
		Other: 1, Two: new(2), All: empty.All,
	}, v)
}

func TestNullIsZero(t *testing.T) {
	v := record{
		ID: "a", Count: 1, Mean: 2, Active: true, Pointer: new(3), Tags: []string{"b"}, Links: map[string]string{"c": ""}, Any: 4,
	}
	data := `{"id":null,"count":null,"mean":null,"active":null,"pointer":null,"tags":null,"links":null,"any":null}`
	require.NoError(t, Unmarshal([]byte(data), &v))
	assert.Equal(t, record{Score: -1}, v)
}

func TestItemsThatAreNull(t *testing.T) {
	assert.Equal(t, []metrics{{}, {Total: 1}, {}}, decoded[[]metrics](t, `[null,{"total":"1"},null]`))
	assert.Equal(t, []*metrics{nil, {Total: 1}}, decoded[[]*metrics](t, `[null,{"total":"1"}]`))
	refused[[]metrics](t, `[null,0,{"total":1}]`)
	refused[[]*metrics](t, `[null,"",null]`)
}

func TestDepth(t *testing.T) {
	assert.NotNil(t, decoded[any](t, nested(MaxDepth)))
	assert.NotNil(t, decoded[record](t, `{"any":`+nested(MaxDepth-1)+`}`).Any)
	const message = "the JSON is nested more than 100 levels deep"
	assert.EqualError(t, refused[any](t, nested(MaxDepth+1)), message)
	assert.EqualError(t, refused[record](t, `{"any":`+nested(MaxDepth)+`}`), message)
	assert.EqualError(t, refused[record](t, `{"list":[{"x":`+nested(MaxDepth-2)+`}]}`), message)
	assert.EqualError(t, refused[record](t, `{"list":[0,`+nested(MaxDepth-1)+`]}`), message)
	type tree struct{ Data *tree }
	deep := func(n int) string { return strings.Repeat(`{"data":`, n) + `null` + strings.Repeat("}", n) }
	assert.NotNil(t, decoded[tree](t, deep(MaxDepth)).Data)
	assert.EqualError(t, refused[tree](t, deep(MaxDepth+1)), message)
	const limit = "exceeded max depth" // of encoding/json, 10,000
	assert.ErrorContains(t, refused[tree](t, strings.Repeat(`{"data":`, 1<<16)), limit)
	assert.ErrorContains(t, refused[any](t, nested(1<<16)), limit)
	assert.Equal(t, `[[{"`, decoded[record](t, `{"id":"[[{\""}`).ID)
	assert.NotNil(t, decoded[any](t, "["+strings.Repeat("[[]],", 1000)+"[]]"), "depth is not the number of lists")
}

// TestCost decodes hostile JSON and bounds the memory in bytes that each of its bytes may take.
func TestCost(t *testing.T) {
	wide := func(item string) string {
		return `{"list":[` + strings.Repeat(item+",", 1<<18/(len(item)+1)) + item + `]}`
	}
	members := func(member string) string { return `{` + strings.Repeat(member+",", 1<<18/len(member)) + member + `}` }
	for name, test := range map[string]struct {
		data string
		most uint64
	}{
		"numbers for structs":  {wide(`0`), 4},
		"strings for structs":  {wide(`""`), 4},
		"lists for structs":    {wide(`[0]`), 4},
		"equal names":          {members(`"id":"a"`), 60},
		"names in other cases": {members(`"ID":"a","Id":"a"`), 60},
		"unknown names":        {members(`"x":0`), 4},
		"backslashes":          {`{"id":"` + strings.Repeat(`\\`, 1<<17) + `"}`, 8},
		"quotes":               {`{"id":"` + strings.Repeat(`\"`, 1<<17) + `"}`, 8},
		"open strings":         {strings.Repeat(`"`, 1<<18), 4},
		"digits":               {`{"score":"` + strings.Repeat("9", 1<<18) + `"}`, 12},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_ = Unmarshal([]byte(test.data), new(record))
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		assert.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, test.most*uint64(len(test.data)), name)
		assert.Less(t, took, 5*time.Second, name)
	}
	requireField(t, refused[record](t, wide(`0`)), "list")
}

func TestHas(t *testing.T) {
	for data, want := range map[string]bool{
		`{"id":1}`: true, `{"id":""}`: true, "\xef\xbb\xbf {\"a\":{},\"id\":[]}": true, `{"i\u0064":false}`: true,
		`{"id":null,"id":1}`: true,
		`{"id":null}`:        false, `{"ID":1}`: false, `{"a":{"id":1}}`: false, `{}`: false, `[]`: false, `"id"`: false, ``: false,
		`{"id":1`: false, `null`: false, `{"id":1,"id":null}`: false,
	} {
		assert.Equal(t, want, Has([]byte(data), "id"), data)
	}
}

func TestPanicOfATypeOfItsOwn(t *testing.T) {
	require.Panics(t, func() { _ = Unmarshal([]byte(`{"a":1}`), new(map[string]panics)) })
	assert.Equal(t, "b", decoded[record](t, `{"id":"b"}`).ID)
}

type panics int

func (*panics) UnmarshalJSON([]byte) error { panic("own") }
