package lenient

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListCutOff(t *testing.T) {
	const whole = `{"total":2,"data":{"items":[{"id":"a","score":1},{"id":"b"}],"x":"y"},"pagination":{"total":2}}`
	for n := 1; n < len(whole); n++ {
		items, l := read(t, whole[:n])
		require.ErrorIs(t, l.Err(), io.ErrUnexpectedEOF, whole[:n])
		assert.LessOrEqual(t, len(items), 2)
	}
	_, l := read(t, `[{},{"id":"a`)
	assert.EqualError(t, l.Err(), "item 1: unexpected EOF")
	for _, data := range []string{`[{}`, `[{},`, `[{},tru`, `[{},"a`} {
		_, l = read(t, data)
		assert.EqualError(t, l.Err(), "item 1: unexpected EOF", data)
	}
	broken := errors.New("broken")
	for _, data := range []string{``, `[`, `[{}`, `[{}]`, `{"data":[{}],"a":`, `{"a`} {
		_, l := readFrom(io.MultiReader(strings.NewReader(data), iotest.ErrReader(broken)))
		assert.ErrorIs(t, l.Err(), broken, data)
	}
	_, l = readFrom(iotest.DataErrReader(strings.NewReader(whole)))
	assert.NoError(t, l.Err())
	_, l = readFrom(stuck{})
	assert.ErrorIs(t, l.Err(), io.ErrNoProgress)
}

// stuck is a reader that never has anything.
type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestListHandsOverAtOnce(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	l := NewList(r)
	go func() { _, _ = io.WriteString(w, `[{"id":"a"}`) }()
	var v item
	require.True(t, l.Next(&v), "the first item does not wait for what follows it")
	assert.Equal(t, "a", v.ID)
}

func TestListBounds(t *testing.T) {
	item := func(size int) string { return `{"id":"` + strings.Repeat("x", size-len(`{"id":""}`)) + `"}` }
	items, l := readFrom(strings.NewReader(`[` + item(MaxItem) + `,` + item(MaxItem) + `]`))
	require.NoError(t, l.Err())
	assert.Len(t, items, 2)
	items, l = readFrom(io.MultiReader(strings.NewReader(`[`), strings.NewReader(item(MaxItem)), strings.NewReader(`]`)))
	require.NoError(t, l.Err(), "nothing of it was read with the bracket")
	assert.Len(t, items, 1)
	_, l = readFrom(strings.NewReader(`[` + item(MaxItem+1) + `]`))
	const message = "item 0: it has more than 1048576 bytes"
	assert.EqualError(t, l.Err(), message)
	rest := &endless{text: strings.Repeat("x", 1<<12)}
	_, l = readFrom(io.MultiReader(strings.NewReader(`["`), rest))
	assert.EqualError(t, l.Err(), message)
	assert.LessOrEqual(t, rest.read, MaxItem+1<<13)

	assert.Equal(t, 16<<20, NewList(nil).left)
	// Up to the colon before the list, 225 bytes count; with all that follows the list, 332.
	data := `{"x":"` + strings.Repeat("x", 98) + `","data":[{}],"yz":123}`
	for left, ok := range map[int]bool{332: true, 331: false, 225: false, 224: false} {
		l := NewList(iotest.OneByteReader(strings.NewReader(data)), names...) // nothing is read ahead
		l.left = left
		assert.Equal(t, left >= 225, l.Next(new(record)), left)
		require.False(t, l.Next(new(record)))
		if ok {
			assert.NoError(t, l.Err())
			assert.Equal(t, `123`, string(l.Field("yz")))
		} else {
			assert.EqualError(t, l.Err(), "the fields beside the list have more than 16777216 bytes", left)
		}
	}
}

// endless repeats a text for ever.
type endless struct {
	text string
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.read%len(e.text):])
	e.read += n
	return n, nil
}

func TestListCost(t *testing.T) {
	for start, text := range map[string]string{
		`[{"id":"`: "x", `{"data":[{"id":"`: `\"`, `{"x":"`: "x", `{"x`: "x", `{"x":[`: "0,", `{"x":1`: `,"x":1`, `[`: "[",
		`{"data":[{}],"x":"`: "x", `[1`: "1", `{"data`: "a", ` [{"x":[`: "[],",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rest := &endless{text: strings.Repeat(text, 1<<12)}
		l := NewList(io.MultiReader(strings.NewReader(start), rest), names...)
		l.left = MaxItem
		for l.Next(new(any)) {
			continue
		}
		runtime.ReadMemStats(&after)
		assert.Error(t, l.Err(), start)
		assert.NotErrorIs(t, l.Err(), io.ErrUnexpectedEOF, start)
		assert.LessOrEqual(t, rest.read, 2*MaxItem+1<<16, start)
		assert.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(8*MaxItem), start)
	}
}

func TestListMemoryIsConstant(t *testing.T) {
	const n = 20_000
	l := NewList(strings.NewReader(`{"data":[`+strings.Repeat(`{"score":1},`, n)+`{}]}`), "data")
	count, buffer := 0, 0
	for v := (item{}); l.Next(&v); count++ {
		buffer = max(buffer, cap(l.raw))
	}
	assert.NoError(t, l.Err())
	assert.Equal(t, n+1, count)
	assert.LessOrEqual(t, buffer, 64<<10)
}
