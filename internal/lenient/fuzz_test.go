package lenient

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plain has the fields of record, without the tags that only this package knows.
type plain struct {
	ID     string            `json:"id"`
	Score  int               `json:"score"`
	Mean   float64           `json:"mean"`
	Active bool              `json:"active"`
	Nested *plain            `json:"nested"`
	Tags   []string          `json:"tags"`
	Links  map[string]string `json:"links"`
	List   []plain           `json:"list"`
	Any    any               `json:"any"`
	Raw    json.RawMessage   `json:"raw"`
}

func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{
		`{"id":"a","score":9,"mean":1.5,"active":true,"nested":{"tags":["x"]},"links":{"a":"b"},"list":[{"id":"b"}],"any":[{}]}`,
		`{"id":1,"score":"9.0","active":"1","nested":[],"tags":"","list":{},"x":null}`, `[0,0]`, `{"list":[0,0]}`, `{"ID":1,"id":2}`,
		`{"score":1e300,"\u0069d":"\ud800"}`, "\xef\xbb\xbf{}", `{"raw": {"a": 1},"raw":2}`, `{"id":"a"`, nested(101), `null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var odd record
		_ = Unmarshal(data, &odd)
		Has(data, "id")
		_, _ = readFrom(strings.NewReader(string(data)))
		var want, got plain
		if json.Unmarshal(data, &want) != nil || ambiguous(json.NewDecoder(strings.NewReader(string(data)))) {
			return
		}
		err := Unmarshal(data, &got)
		if err == errTooDeep {
			return
		}
		require.NoError(t, err)
		assert.Equal(t, want, got)
	})
}

// ambiguous reports whether an object in the JSON has two names that are equal but for their case.
func ambiguous(decoder *json.Decoder) bool {
	token, err := decoder.Token()
	seen := map[string]bool{}
	for delim, ok := token.(json.Delim); ok && err == nil && decoder.More(); {
		if delim == '{' {
			name, _ := decoder.Token()
			folded := strings.ToLower(strings.ToUpper(name.(string)))
			if seen[folded] {
				return true
			}
			seen[folded] = true
		}
		if ambiguous(decoder) {
			return true
		}
	}
	if _, ok := token.(json.Delim); ok {
		_, _ = decoder.Token()
	}
	return false
}
