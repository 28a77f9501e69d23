package lenient

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
)

// MaxItem is how many bytes an item of a [List] may have. A larger one is an error.
const MaxItem = 1 << 20

const (
	maxEnvelopes = 5
	maxBeside    = 16 << 20 // bytes of all tokens beside the items
	tokenCost    = 16       // bytes that a token counts in addition to its length
)

var (
	errNoList   = errors.New("there is no list in it")
	errTwoLists = errors.New("there is more than one list in it")
	errItemSize = fmt.Errorf("it has more than %d bytes", MaxItem)
	errRestSize = fmt.Errorf("the fields beside the list have more than %d bytes", maxBeside)
)

// List reads the items of a list one at a time, in constant memory. The list is the whole JSON
// value, or a field of an envelope: of an object, or of an object in such a field, up to five
// deep. A List is not safe for concurrent use.
type List struct {
	in    *bufio.Scanner
	names []string
	items int
	raw   json.RawMessage
	err   error  // io.EOF at the end
	rest  []byte // the JSON without the items, with a space before each token
	left  int    // of maxBeside

	envelopes int // that are open
	inList    bool
	first     bool // whether the list has only begun

	start   int  // of the next token, behind white space
	whole   bool // whether an object or list is one token
	scanned scanner
}

// NewList returns a List that reads from r. The names are those of the fields that may hold the
// list; of several fields, the one whose list has items counts.
func NewList(r io.Reader, names ...string) *List {
	l := &List{in: bufio.NewScanner(r), names: names, left: maxBeside}
	l.in.Buffer(make([]byte, 1<<10), maxBeside+MaxItem)
	l.in.Split(l.split)
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
func (l *List) Field(name string) json.RawMessage {
	if l.err != io.EOF {
		return nil
	}
	value, _ := l.field(l.rest[1:], name)
	return value
}

// field looks for a field in an envelope. It also reports whether the envelope has the list, or
// null in its stead.
func (l *List) field(envelope []byte, name string) (value []byte, hasList bool) {
	var inner []byte
	for field, v := range elements(envelope) {
		switch isName := slices.Contains(l.names, string(field)); {
		case isName && v[0] == '{':
			if nested, ok := l.field(v, name); ok {
				inner, hasList = nested, true
			}
		case isName:
			hasList = hasList || v[0] == '[' || v[0] == 'n'
		case string(field) == name:
			value = v
		}
	}
	if inner != nil {
		value = inner
	}
	return value, hasList
}

// next decodes the next item, or returns why there is none: io.EOF at the end.
func (l *List) next(item any) (err error) {
	for l.raw = nil; l.raw == nil && err == nil; {
		l.raw, err = l.advance()
	}
	switch v := reflect.Indirect(reflect.ValueOf(item)); {
	case err == io.EOF && l.open():
		err = io.ErrUnexpectedEOF
	case err == io.EOF && len(l.rest) == 0:
		err = errEmpty
	case err == io.EOF && !json.Valid(l.rest):
		err = syntaxError("", l.rest)
	case err == io.EOF && l.rest[1] != '[':
		if _, ok := l.field(l.rest[1:], ""); !ok {
			err = errNoList
		}
	case err == nil:
		if v.CanSet() {
			v.SetZero()
		}
		err = l.scanned.unmarshal(l.raw, item)
	}
	if err != nil && l.inList {
		err = fmt.Errorf("item %d: %w", l.items, err)
	}
	return err
}

// open reports whether the list or an envelope is open.
func (l *List) open() bool { return l.inList || l.envelopes > 0 }

// advance reads the next token, and returns it if it is an item.
func (l *List) advance() ([]byte, error) {
	first := l.first
	l.first = false
	token, err := l.token()
	switch {
	case err != nil:
		return nil, err
	case !l.inList:
		return nil, l.take(token)
	case string(token) == "]":
		l.inList = false
		l.rest = append(l.rest, ']')
		return nil, nil
	case first && l.items > 0:
		l.inList = false
		return nil, errTwoLists
	case first:
		return token, nil
	case string(token) != ",":
		return nil, syntaxError(`[""`, token)
	}
	return l.token()
}

// take does what a token outside of the list says. Whether it may stand there is checked at the end.
func (l *List) take(token []byte) (err error) {
	l.rest = append(append(l.rest, ' '), token...)
	l.left -= tokenCost + len(token)
	l.whole = string(token) != ":" || l.whole
	switch string(token) {
	case ",", ":":
	case "{":
		if l.envelopes++; l.envelopes > maxEnvelopes {
			return errNoList
		}
	case "}":
		l.envelopes--
	case "[":
		l.inList, l.first = true, true
	default:
		if err = l.scanned.check(token); err == nil && token[0] == '"' {
			l.whole = !slices.Contains(l.names, text(token))
		}
	}
	return err
}

// token returns the next token: a value, bracket, comma or colon. It is valid until the following
// call.
func (l *List) token() ([]byte, error) {
	l.start, l.scanned = 0, scanner{}
	if l.in.Scan() {
		return l.in.Bytes(), nil
	}
	return nil, cmp.Or(l.in.Err(), io.EOF)
}

// split is a [bufio.SplitFunc] for tokens. It reads each byte once, however often it is called.
func (l *List) split(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if len(l.rest) == 0 && l.start == 0 && bytes.HasPrefix(data, bom) {
		l.start, l.scanned = len(bom), scanner{}
	}
	l.start = space(data, l.start)
	rest := data[l.start:]
	ended := !l.whole && len(rest) > 0 && (rest[0] == '{' || rest[0] == '[')
	if !ended {
		l.scanned, ended = l.scanned.scan(rest)
	}
	ended = ended || atEOF && len(rest) > 0 && !l.open()
	limit, tooLarge := l.left, errRestSize
	if l.inList {
		limit, tooLarge = MaxItem, errItemSize
	}
	switch end := max(l.scanned.end, 1); {
	case l.start > limit || l.scanned.end > limit:
		return 0, nil, tooLarge
	case ended:
		return l.start + end, rest[:end], nil
	case atEOF && len(rest) > 0:
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}
