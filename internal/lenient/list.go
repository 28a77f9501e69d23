package lenient

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
)

// MaxItem is how many bytes an item of a [List] may have. A larger one is an error.
const MaxItem = 1 << 20

const (
	maxEnvelopes = 5
	maxBeside    = 16 << 20 // bytes of all fields beside the list
	fieldCost    = 64       // bytes that a field counts in addition to its name and value
)

var (
	errNoList   = errors.New("there is no list in it")
	errTwoLists = errors.New("there is more than one list in it")
	errTrailing = errors.New("there is something behind the JSON")
	errItemSize = fmt.Errorf("it has more than %d bytes", MaxItem)
	errRestSize = fmt.Errorf("the fields beside the list have more than %d bytes", maxBeside)
)

// List reads the items of a list one at a time, in constant memory. The list is the whole JSON
// value, or a field of an envelope: of an object, or of an object in such a field, up to five
// deep. A List is not safe for concurrent use.
type List struct {
	in      bounded
	json    *json.Decoder
	names   []string
	started bool
	found   bool // a list, or null in its stead
	inList  bool
	items   int
	raw     json.RawMessage
	err     error // io.EOF at the end
	left    int   // bytes that the fields beside the list may still have

	envelopes []map[string]json.RawMessage // the fields of those that are open
	listDepth int                          // how many of them have the list
	fields    map[string]json.RawMessage   // of the envelopes of the list that are closed
}

// NewList returns a List that reads from r. The names are those of the fields that may hold the
// list; of several fields, the one whose list has items counts.
func NewList(r io.Reader, names ...string) *List {
	l := &List{names: names, left: maxBeside, in: bounded{r: bufio.NewReaderSize(r, 1<<10)}}
	l.json = json.NewDecoder(&l.in)
	return l
}

// Next sets *item to zero and decodes the next item into it, with the rules of [Unmarshal]. It
// returns false at the end of the list or if there is an error, which Err returns.
func (l *List) Next(item any) bool {
	if l.err == nil {
		l.err = l.next(item)
	}
	if l.err != nil {
		l.raw = nil
		return false
	}
	l.items++
	return true
}

// Raw returns the JSON of the latest item. It is valid until the next call of Next.
func (l *List) Raw() json.RawMessage { return l.raw }

// Err returns the error that ended the list, or nil. If the JSON is cut off, it wraps
// [io.ErrUnexpectedEOF].
func (l *List) Err() error {
	if l.err == io.EOF {
		return nil
	}
	return l.err
}

// Field returns the value of a field beside the list, or nil if there is none. It must be called
// after the end of the list. If several envelopes have the field, the innermost one counts. The
// fields that may hold the list do not count.
func (l *List) Field(name string) json.RawMessage { return l.fields[name] }

// next decodes the next item, or returns why there is none: io.EOF at the end.
func (l *List) next(item any) error {
	err := l.advance()
	if err == nil {
		err = l.json.Decode(&l.raw)
	}
	target := reflect.ValueOf(item)
	switch {
	case err == io.EOF && (l.inList || len(l.envelopes) > 0), isCutOff(err):
		err = io.ErrUnexpectedEOF
	case err == io.EOF && !l.started:
		err = errEmpty
	case err == io.EOF && !l.found:
		err = errNoList
	case err != nil:
	case len(l.raw) > MaxItem:
		err = errItemSize
	default:
		if target.Kind() == reflect.Pointer && !target.IsNil() {
			target.Elem().SetZero()
		}
		err = unmarshalValid(l.raw, item)
	}
	if err != nil && l.inList {
		err = fmt.Errorf("item %d: %w", l.items, err)
	}
	return err
}

// isCutOff reports whether err says that the input ends too early. From Go 1.27 on, a json.Decoder says it
// with an error of its own.
func isCutOff(err error) bool {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	return ok && syntax.Error() == "unexpected end of JSON input"
}

// advance goes on to the next item. It returns io.EOF at the end of the input.
func (l *List) advance() error {
	for {
		l.in.left, l.in.tooLarge = l.left+fieldCost, errRestSize
		if l.inList {
			l.in.left, l.in.tooLarge = MaxItem+fieldCost, errItemSize
			if l.json.More() {
				return nil
			}
		}
		token, err := l.json.Token()
		if err == nil {
			err = l.take(token)
		}
		if err != nil {
			return err
		}
	}
}

// take does what a token outside the items says.
func (l *List) take(token json.Token) (err error) {
	last := len(l.envelopes) - 1
	if name, ok := token.(string); ok && last >= 0 {
		if !slices.Contains(l.names, name) {
			return l.readField(name)
		}
		if token, err = l.json.Token(); err != nil {
			return err
		}
	}
	switch {
	case token == json.Delim(']'):
		l.inList = false
	case token == json.Delim('}'):
		if l.listDepth > last { // it has the list
			l.listDepth = last
			maps.Copy(l.envelopes[last], l.fields)
			l.fields = l.envelopes[last]
		}
		l.envelopes = l.envelopes[:last]
	case last < 0 && l.started:
		return errTrailing
	case token == json.Delim('['), token == nil && last >= 0:
		if l.items > 0 && token != nil && l.json.More() {
			return errTwoLists
		}
		l.found, l.inList = true, token != nil
		l.listDepth = max(l.listDepth, last+1)
	case token == json.Delim('{') && last+1 < maxEnvelopes:
		l.envelopes = append(l.envelopes, map[string]json.RawMessage{})
	case token == json.Delim('{'), last < 0:
		return errNoList
	}
	l.started = true
	return nil
}

// readField reads the value of a field beside the list.
func (l *List) readField(name string) error {
	var value json.RawMessage
	if err := l.json.Decode(&value); err != nil {
		return err
	}
	if _, depth := scan(value, 0); depth > MaxDepth {
		return errTooDeep
	}
	if l.left -= len(name) + len(value) + fieldCost; l.left < 0 {
		return errRestSize
	}
	l.envelopes[len(l.envelopes)-1][name] = value
	return nil
}

// bounded reads from r, without a byte order mark at the start, until nothing is left.
type bounded struct {
	r        *bufio.Reader
	left     int
	tooLarge error // if nothing is left
	started  bool
}

func (b *bounded) Read(p []byte) (int, error) {
	if !b.started {
		b.started = true
		if start, _ := b.r.Peek(len(bom)); bytes.Equal(start, bom) {
			_, _ = b.r.Discard(len(bom)) // it is there
		}
	}
	if b.left == 0 {
		return 0, b.tooLarge
	}
	if _, err := b.r.Peek(1); err != nil { // io.ErrNoProgress too
		return 0, err
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
