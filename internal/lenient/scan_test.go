package lenient

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestScan(t *testing.T) {
	for data, want := range map[string]struct{ end, depth int }{
		`0`: {1, 0}, `-1.5,`: {4, 0}, "12 ": {2, 0}, "12\n": {2, 0}, "12\t": {2, 0}, "12\r": {2, 0},
		`true]`: {4, 0}, `null}`: {4, 0},
		`""`: {2, 0}, `"",""`: {2, 0}, `"[{",1`: {4, 0}, `"\\",1`: {4, 0}, `"\"",1`: {4, 0},
		`"\\\"",1`: {6, 0}, `"\\\\",1`: {6, 0},
		`[]`: {2, 1}, `{},`: {2, 1}, `[[],[]]]`: {7, 2}, `{"a":[{}],"b":{}}}`: {17, 3}, `["]"]]`: {5, 1}, `{"}":"{"}}`: {9, 1},
	} {
		for cut := range data {
			part, ended := scanner{}.scan([]byte(data[:cut]))
			assert.Equal(t, cut > want.end || cut == want.end && strings.ContainsAny(data[cut-1:cut], `]}"`), ended, data[:cut])
			s, _ := part.scan([]byte(data))
			if !ended {
				assert.Equal(t, scanner{end: want.end, deepest: want.depth}, s, data)
			}
		}
	}
}
