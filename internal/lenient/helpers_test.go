package lenient

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// record has a field of each kind.
type record struct {
	ID      string            `json:"id"`
	Score   int               `json:"score" absent:"-1"`
	Count   uint8             `json:"count"`
	Mean    float64           `json:"mean"`
	Active  bool              `json:"active"`
	At      time.Time         `json:"at"`
	Nested  metrics           `json:"nested"`
	Pointer *int              `json:"pointer"`
	Tags    []string          `json:"tags"`
	Links   map[string]string `json:"links"`
	List    []item            `json:"list"`
	Own     own               `json:"own"`
	Any     any               `json:"any"`
	Hidden  string            `json:"-"`
}

type metrics struct {
	Total int     `json:"total"`
	Mean  float64 `json:"mean"`
}

type item struct {
	ID    string `json:"id"`
	Score int    `json:"score" absent:"-1"`
}

// own reads itself, and only strings.
type own string

func (o *own) UnmarshalJSON(data []byte) error {
	if data[0] != '"' {
		return errOwn
	}
	*o = own("own " + string(data))
	return nil
}

var errOwn = errors.New("own")

// decoded decodes JSON that must be readable.
func decoded[T any](t *testing.T, data string) T {
	t.Helper()
	var v T
	require.NoError(t, Unmarshal([]byte(data), &v), "%.200s", data)
	return v
}

// refused returns the error of JSON that must not be readable as T.
func refused[T any](t *testing.T, data string) error {
	t.Helper()
	var v T
	err := Unmarshal([]byte(data), &v)
	require.Error(t, err, "%.200s: %+v", data, v)
	return err
}

// requireField checks that err names the field and has the error of encoding/json in its chain.
func requireField(t *testing.T, err error, field string) {
	t.Helper()
	assert.True(t, strings.HasPrefix(err.Error(), field+": "), err.Error())
	_, ok := errors.AsType[*json.UnmarshalTypeError](err)
	assert.True(t, ok, err.Error())
}

func nested(levels int) string {
	return strings.Repeat("[", levels) + strings.Repeat("]", levels)
}

func quote(s string) string { return strconv.Quote(s) }
