package lenient

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var names = []string{"data", "items", "responses"}

// read reads all items of a list. It does so in one part and byte by byte, and wants the same of both.
func read(t *testing.T, data string) ([]item, *List) {
	t.Helper()
	items, l := readFrom(strings.NewReader(data))
	slowly, slow := readFrom(iotest.OneByteReader(strings.NewReader(data)))
	require.Equal(t, items, slowly, "%.200s", data)
	if l.Err() == nil {
		require.NoError(t, slow.Err(), "%.200s", data)
	} else {
		require.EqualError(t, slow.Err(), l.Err().Error(), "%.200s", data)
	}
	return items, l
}

func readFrom(r io.Reader) ([]item, *List) {
	l := NewList(r, names...)
	var items []item
	for v := (item{}); l.Next(&v); {
		items = append(items, v)
	}
	return items, l
}

func TestListItems(t *testing.T) {
	two := []item{{"a", 9}, {"b", -1}}
	const list = `[{"id":"a","score":"9"},{"id":"b"}]`
	for _, data := range []string{
		list, " \n" + list + "\t\r\n ", "\xef\xbb\xbf" + list, "\xef\xbb\xbf " + `{"data":` + list + `}`,
		`[ {"id" : "a" , "score" : 9 } , {"id":"b"} ]`, `[{"id":"a","score":9,"SCORE":8},{"id":"a","id":"b","score":null}]`,
		`{"data":` + list + `}`, `{"items":` + list + `}`, `{ "total" : 2 , "data" : ` + list + ` , "x" : {"data":[1]} } `,
		`{"data":{"items":` + list + `}}`, `{"data":{"total":1,"items":` + list + `},"x":1}`, `{"\u0064ata":` + list + `}`,
		`{"data":{"data":{"data":{"data":{"data":` + list + `}}}}}`,
		`{"responses":2,"data":` + list + `}`, `{"items":null,"data":` + list + `}`, `{"responses":"x","data":` + list + `}`,
		`{"responses":[],"data":` + list + `}`, `{"responses":[ ],"data":` + list + `,"items":[]}`,
		`{"data":` + list + `,"items":2}`, `{"data":` + list + `,"items":null,"responses":{"a":1}}`,
		`{"data":` + list + `,"Data":[{"id":"c"}]}`, `{"data":` + list + `,"data":[]}`,
		`{"responses":{"total":2},"data":` + list + `}`, `{"responses":{},"data":` + list + `}`,
		`{"a":{"data":[1]},"data":` + list + `,"b":[{"data":[1]}]}`,
	} {
		items, l := read(t, data)
		require.NoError(t, l.Err(), data)
		assert.Equal(t, two, items, data)
	}
}

func TestListEmpty(t *testing.T) {
	for _, data := range []string{
		`[]`, `[ ] `, `{"data":[]}`, `{"data":[],"total":0}`, `{"data":null}`, `{"data":null,"pagination":{"total":0}}`,
		`{"data":{"items":[]}}`, `{"data":{"items":null}}`, `{"data":[],"items":[]}`, `{"data":[],"items":null,"responses":3}`,
	} {
		items, l := read(t, data)
		assert.NoError(t, l.Err(), data)
		assert.Empty(t, items, data)
		assert.Nil(t, l.Raw())
	}
}

func TestListRefused(t *testing.T) {
	for data, want := range map[string]string{
		`[][]`: "invalid character '[' after top-level value", `{"data":[]} {}`: "invalid character '{' after top-level value",
		``: "the body is empty", " \n": "the body is empty", "\xef\xbb\xbf": "the body is empty",
		`{}`: "there is no list in it", `{"a":[1]}`: "there is no list in it", `null`: "there is no list in it",
		`"data"`: "there is no list in it", `3`: "there is no list in it",
		`{"data":2}`: "there is no list in it", `{"data":{}}`: "there is no list in it", `{"Data":[]}`: "there is no list in it",
		`{"data":{"data":{"data":{"data":{"data":{"data":[{}]}}}}}}`: "there is no list in it",
		`{"data":[{}],"items":[{}]}`:                                 "there is more than one list in it",
		`{"data":[{}],"data":[{}]}`:                                  "there is more than one list in it",
		`{"data":{"items":[{}]},"items":[{}]}`:                       "there is more than one list in it",
		`{"data":{"items":[{}],"data":[{}]}}`:                        "there is more than one list in it",
		`[{},,{}]`:                                                   "item 1: invalid character …",
		`[{},]`:                                                      "item 1: invalid character …",
		`[,{}]`:                                                      "item 0: invalid character …",
		`[{},{"id":}]`:                                               "item 1: invalid character …",
		`[{},{"score":7.5}]`:                                         "item 1: score: json: cannot unmarshal number 7.5 into Go struct field item.score of type int",
		`[{},{},0,0]`:                                                "item 2: json: cannot unmarshal number into Go value of type lenient.item",
		`[[]]`:                                                       "item 0: json: cannot unmarshal array into Go value of type lenient.item",
		`[` + nested(MaxDepth+1) + `]`:                               "item 0: the JSON is nested more than 100 levels deep",
		`{"a":` + nested(MaxDepth+1) + `}`:                           "the JSON is nested more than 100 levels deep",
	} {
		_, l := read(t, data)
		for range 2 {
			if start, ok := strings.CutSuffix(want, "…"); ok { // in the words of encoding/json
				assert.True(t, strings.HasPrefix(l.Err().Error(), start), "%s: %v", data, l.Err())
			} else {
				assert.EqualError(t, l.Err(), want, data)
			}
			assert.Nil(t, l.Raw())
			assert.False(t, l.Next(new(item)), "an error is final")
		}
	}
	l := NewList(strings.NewReader(`[{}]`))
	assert.False(t, l.Next(item{}))
	assert.EqualError(t, l.Err(), "item 0: json: Unmarshal(non-pointer lenient.item)")
	l = NewList(strings.NewReader(`[{}]`))
	assert.False(t, l.Next((*item)(nil)))
	assert.EqualError(t, l.Err(), "item 0: json: Unmarshal(nil *lenient.item)")
}

func TestListMalformed(t *testing.T) {
	for _, data := range []string{
		`<html>`, "\x00", `[{}] x`, "[{}]\x00", "[{}\x00]", `[{}]]`, `{"data":[{}],}`, `{"data":[{}] "a":1}`,
		`{"data" [{}]}`, `{,"data":[{}]}`, `{data:[{}]}`, `{"\x":1,"data":[{}]}`, `{"data":[{}]]`, `{"a":tru,"data":[{}]}`,
		`{"data":[{}],"a":}`, `{"data":[{}],"a":[1}}`, `[{} {}]`, `[{}}`,
	} {
		_, l := read(t, data)
		_, ok := errors.AsType[*json.SyntaxError](l.Err())
		assert.True(t, ok, "%s: %v", data, l.Err())
		assert.Nil(t, l.Raw())
	}
	_, l := readFrom(io.MultiReader(strings.NewReader(`[{}`), strings.NewReader("\xef\xbb\xbf]")))
	assert.Error(t, l.Err(), "a byte order mark stands only at the start")
}

func TestListRaw(t *testing.T) {
	l := NewList(strings.NewReader(`[ {"id" : "a", "x":[1]} ,"b",3]`))
	var v any
	for _, want := range []string{`{"id" : "a", "x":[1]}`, `"b"`, `3`} {
		require.True(t, l.Next(&v))
		assert.Equal(t, want, string(l.Raw()))
	}
	assert.False(t, l.Next(&v))
	assert.Nil(t, l.Raw())
	assert.NoError(t, l.Err())
}

func TestListZeroesItems(t *testing.T) {
	l := NewList(strings.NewReader(`[{"id":"a","score":1},{"id":"b"}]`))
	v := record{Hidden: "x", Tags: []string{"y"}}
	require.True(t, l.Next(&v))
	assert.Equal(t, record{ID: "a", Score: 1}, v)
	first := v
	require.True(t, l.Next(&v))
	assert.Equal(t, record{ID: "b", Score: -1}, v)
	assert.Equal(t, "a", first.ID)
}

func TestListField(t *testing.T) {
	_, l := read(t, `{"a":1,"metrics":{"n":1},"data":{"pagination":2,"items":[{}],"b":3},"pagination":4,"items":5,"b":6,"a":"7"}`)
	require.NoError(t, l.Err())
	for name, want := range map[string]string{"a": `"7"`, "metrics": `{"n":1}`, "pagination": "2", "b": "3"} {
		assert.Equal(t, want, string(l.Field(name)), name)
	}
	assert.Nil(t, l.Field("c"))
	assert.Nil(t, l.Field("A"))
	assert.Nil(t, l.Field("data"))
	assert.Nil(t, l.Field("items"), "it is a name of the list")
	_, l = read(t, `{"data":null,"pagination":1}`)
	assert.Equal(t, "1", string(l.Field("pagination")))
	_, l = read(t, `{"responses":{"total":5,"x":1},"data":[{}],"total":9}`)
	assert.Equal(t, "9", string(l.Field("total")))
	assert.Nil(t, l.Field("x"), "it is no envelope of the list")
	for _, data := range []string{
		`{"data":[{}],"responses":{"x":1}}`, `{"data":{"y":2,"items":[{}]},"responses":{"x":1,"y":3},"y":4}`,
	} {
		_, l = read(t, data)
		assert.NoError(t, l.Err(), data)
		assert.Nil(t, l.Field("x"), data)
	}
	assert.Equal(t, "2", string(l.Field("y")))
	_, l = read(t, `[{}]`)
	assert.Nil(t, l.Field("total"))
}
